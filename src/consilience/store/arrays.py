"""Models on disk: one `.npz` of plain arrays with its description as JSON inside. Never pickle."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import StoreError
from consilience.store.files import replacing

Arrays = dict[str, npt.NDArray[Any]]
FORMAT = 1  # rises when the layout of the file changes


def pack(kind: str, meta: dict[str, Any], arrays: Arrays) -> bytes:
    """Bytes of a file that holds arrays and a JSON description. The same input gives the same bytes."""
    head = json.dumps({"consilience": FORMAT, "kind": kind, **meta}, ensure_ascii=False, sort_keys=True)
    everything = {"meta": np.frombuffer(head.encode(), np.uint8), **arrays}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in everything.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(array), allow_pickle=False)
            # a fixed date, so that equal models are equal files
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), part.getvalue())
    return buffer.getvalue()


def save(path: Path | str, kind: str, meta: dict[str, Any], arrays: Arrays) -> None:
    """Write pack(...) to path, whole or not at all."""
    with replacing(Path(path)) as out:
        out.write(pack(kind, meta, arrays))


def load(source: Path | str | bytes, kind: str) -> tuple[dict[str, Any], Arrays]:
    """Read what pack wrote. Raises StoreError for anything else, pickles and other kinds of model included."""
    name = "the given bytes" if isinstance(source, bytes) else str(source)
    try:
        with np.load(io.BytesIO(source) if isinstance(source, bytes) else source, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
        found = meta["kind"], meta.pop("consilience")
    except FileNotFoundError:
        raise StoreError(f"There is no file {name}.\nFix: check the path.") from None
    except Exception as error:
        raise StoreError(
            f"{name} is not a model saved by Consilience ({type(error).__name__}: {error}).\n"
            "Fix: save it again with model.save(path); pickles are never loaded."
        ) from error
    if found[1] != FORMAT:
        raise StoreError(f"{name} has format {found[1]}, this version reads {FORMAT}.\nFix: upgrade consilience.")
    if kind != "any" and found[0] != kind:
        raise StoreError(f"{name} holds a {found[0]}, not a {kind}.\nFix: load it with the class that saved it.")
    return meta, arrays
