"""Pictures on their way to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def must_be_picture(path: Path) -> None:
    """Raise DataError for a name that is no picture's, before anything is drawn."""
    from consilience.errors import DataError

    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise DataError(f"{path} is no picture.\nFix: name a file that ends in .png, .svg or .pdf.")


def save_picture(figure: Figure, path: Path) -> None:
    """Write it, whole or not at all."""
    from consilience.store.files import replacing

    must_be_picture(path)
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower())
