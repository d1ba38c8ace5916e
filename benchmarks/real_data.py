"""Where the real data is. Every benchmark and slow test that reads data asks here, and nowhere else.

The data is public and no part of the package: `$CONSILIENCE_DATA` names a folder that holds it unpacked; else the
archives in `../shared/data` beside the checkout are unpacked, group by group, into a cache folder.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

ARCHIVES = Path(__file__).resolve().parents[2] / "shared" / "data"
CACHE = Path("~/.cache/consilience-data")


class DataAbsent(Exception):
    """The real data is not on this machine; the message says how to get it."""


def data_folder(
    group: str, *, environ: Mapping[str, str] = os.environ, archives: Path = ARCHIVES, cache: Path = CACHE
) -> Path:
    """Folder of one group of data sets ("weak", "text", "crowd", ...), unpacked first if it must be.

    environ: where CONSILIENCE_DATA is looked up. archives: folder of GROUP.tar.xz. cache: where they are unpacked.
    raises: DataAbsent if there is neither an unpacked folder nor an archive.
    """
    named = environ.get("CONSILIENCE_DATA")
    if named:
        folder = Path(named).expanduser() / group
        if folder.is_dir():
            return folder
        raise DataAbsent(
            f"CONSILIENCE_DATA is {named!r}, but there is no folder {group!r} in it.\n"
            f"Fix: unpack it there with `../shared/data/unpack --to {named} {group}`, or unset CONSILIENCE_DATA."
        )
    archive = archives / f"{group}.tar.xz"
    if not archive.is_file():
        raise DataAbsent(
            f"The real data of group {group!r} is not here: CONSILIENCE_DATA is not set, and ../shared/data beside the "
            f"checkout has no {archive.name}.\n"
            f"Fix: set CONSILIENCE_DATA to a folder that holds {group}/, or put the archive there."
        )
    return _unpacked(archive, cache.expanduser(), group)


def _unpacked(archive: Path, cache: Path, group: str) -> Path:
    """Unpack an archive, unless the note in the cache says that this very archive was unpacked before."""
    note, size = cache / f".{group}.done", str(archive.stat().st_size)
    if not (note.is_file() and note.read_text() == size and (cache / group).is_dir()):
        cache.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as packed:
            packed.extractall(cache, filter="data")
        note.write_text(size)  # last, so that an unpacking that was cut short is done again
    return cache / group
