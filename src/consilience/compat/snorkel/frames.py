"""pandas, for what gives back its frames; it is not needed otherwise."""

from __future__ import annotations

from typing import Any

from consilience.errors import ExtraError


def pandas(what: str) -> Any:
    """The module. what: needs it, as the error says. Raises ExtraError if it is not installed."""
    try:
        import pandas as pd
    except ImportError:
        raise ExtraError(
            f"{what} needs pandas, which is not installed.\nFix: pip install 'consilience[pandas]'"
        ) from None
    return pd
