"""Whose Python may run: a project's `lfs.py` runs only once its owner on this machine has trusted the folder.

What is trusted is a pair, the folder's path and a random token in its `.consilience/`; a folder that came from
elsewhere has another token or none. The list is kept with the user, outside any project.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from consilience.errors import TrustError
from consilience.store.files import replacing


def trust_file() -> Path:
    """Where this user's list is: $CONSILIENCE_HOME, or the usual folder for settings."""
    home = os.environ.get("CONSILIENCE_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "consilience"
    return base / "trusted.json"


def trust(folder: Path) -> None:
    """Let the Python of this folder run from now on, whoever edits it here."""
    token = secrets.token_hex(16)
    with replacing(folder / ".consilience" / "token") as out:
        out.write(token.encode())
    known = _known()
    known[str(folder.resolve())] = token
    with replacing(trust_file()) as out:
        out.write(json.dumps(known, indent=1, sort_keys=True).encode())
    os.chmod(trust_file(), 0o600)


def is_trusted(folder: Path) -> bool:
    """Whether the folder's Python may run."""
    token = folder / ".consilience" / "token"
    expected = _known().get(str(folder.resolve()))
    return expected is not None and token.is_file() and secrets.compare_digest(token.read_text(), expected)


def require_trust(folder: Path, path: Path) -> None:
    """Raise TrustError if the folder is not trusted."""
    if not is_trusted(folder):
        raise TrustError(
            f"{path} is Python that came with this folder, and nobody on this machine has trusted it yet.\n"
            "Fix: read it, then run `consilience trust`; or apply only lfs.toml with `consilience apply --no-python`."
        )


def _known() -> dict[str, str]:
    try:
        found = json.loads(trust_file().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise TrustError(f"{trust_file()} is damaged.\nFix: delete it and trust your projects again.") from None
    return {str(folder): str(token) for folder, token in found.items()} if isinstance(found, dict) else {}
