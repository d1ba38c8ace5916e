"""Files that are there whole or not at all, and files named by their content. The floor of the store."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from consilience.errors import StoreError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write path so that a reader sees the whole old file or the whole new one, even after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, temp = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(fd, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.chmod(temp, 0o666 & ~_umask())  # mkstemp makes files only their owner can read
        os.replace(temp, path)
    except BaseException:
        Path(temp).unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path, sign: str) -> Iterator[Path]:
    """Make a folder that is there whole or not at all. sign: a file by which an old one of the kind is known.

    yields: an empty folder to write into. raises: StoreError if there is something else in the way.
    """
    if folder.exists() and not (folder / sign).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is there already and holds something else.\nFix: choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temp = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        new, old = temp / "new", temp / "old"
        new.mkdir()
        yield new
        for path in new.rglob("*"):
            if path.is_file():
                _flush(path)
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
    except BaseException:
        if (temp / "old").exists() and not folder.exists():
            os.replace(temp / "old", folder)
        raise
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256(data: bytes) -> str:
    """Hex SHA-256 of data."""
    return hashlib.sha256(data).hexdigest()


class Blobs:
    """A folder of files named by the SHA-256 of what they hold: the same content is stored once, and damage shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where the blob called name is, or would be."""
        return self.folder / name[:2] / name

    def put(self, data: bytes) -> str:
        """Store data; returns its name. Cheap if it is already there."""
        name = sha256(data)
        try:
            os.utime(
                self.path(name)
            )  # a file that is there and was not asked for is wanted again: no one may tidy it away
        except OSError:
            with replacing(self.path(name)) as out:
                out.write(data)
        return name

    def get(self, name: str) -> bytes:
        """The bytes of a blob. Raises StoreError if it is missing or damaged."""
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            raise StoreError(
                f"The store has lost {name[:12]}… in {self.folder}.\nFix: run `consilience doctor --repair`."
            ) from None
        if sha256(data) != name:
            raise StoreError(
                f"The stored file {self.path(name)} is damaged: its content no longer matches its name.\n"
                "Fix: run `consilience doctor --repair`."
            )
        return data

    def names(self) -> list[str]:
        """Names of all blobs, sorted."""
        return sorted(p.name for p in self.folder.glob("??/*") if not p.name.startswith("."))
