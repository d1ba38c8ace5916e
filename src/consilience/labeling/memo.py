"""Values kept on disk by the content they were made of, so that slow preprocessing is paid for once.

A folder for each maker (named by its fingerprint), in it Parquet files of keys and values, each named by what it holds
and never changed: processes may write side by side. Values are JSON or arrays, never pickles.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from consilience.errors import FunctionError
from consilience.store.files import replacing, sha256

NESTED = 50  # levels of lists and dicts in one value


class Memo:
    """What a maker made before, by key. folder: of all makers. fingerprint: of this one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Memo(Path(folder), "f1").put({"a": [1, 2], "b": None})
    ...     Memo(Path(folder), "f1").get(["b", "a", "c"]), Memo(Path(folder), "f2").get(["a"])
    ({'a': [1, 2], 'b': None}, {})
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder / fingerprint[:32]

    def get(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values of those keys that are there. Each file's keys are read once a process; O(keys kept)."""
        wanted = pl.Series("key", list(dict.fromkeys(keys)), pl.String).implode()
        found: dict[str, Any] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                if not keys_in(path).is_in(wanted).any():
                    continue
                part = pl.scan_parquet(path, glob=False).filter(pl.col("key").is_in(wanted)).collect()
                found |= {key: decoded(form, data) for key, form, data in part.iter_rows()}
            except (pl.exceptions.PolarsError, OSError, ValueError):
                continue  # a damaged file costs making its values again
        return found

    def put(self, values: Mapping[str, Any]) -> None:
        """Keep values by key. Raises FunctionError for a value that is neither JSON nor an array."""
        if not values:
            return
        rows = [(key, *encoded(value)) for key, value in values.items()]
        schema = {"key": pl.String, "form": pl.String, "data": pl.Binary}
        buffer = io.BytesIO()
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(buffer)
        with replacing(self.folder / f"{sha256(buffer.getvalue())[:32]}.parquet") as out:
            out.write(buffer.getvalue())


@lru_cache(maxsize=4096)
def keys_in(path: Path) -> pl.Series:
    """The keys of a file; it is named by what it holds, so they stay the same."""
    return pl.scan_parquet(path, glob=False).select("key").collect()["key"]


def encoded(value: Any) -> tuple[str, bytes]:
    """Form and bytes of a value that `plain` made."""
    if isinstance(value, np.ndarray):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(value), allow_pickle=False)
        return "npy", buffer.getvalue()
    return "json", json.dumps(value).encode()


def decoded(form: str, data: bytes) -> Any:
    """The value again."""
    if form == "npy":
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return json.loads(data)


def plain(value: Any, maker: str, depth: int = 0) -> Any:
    """The value as it will come back from disk: tuples are lists. Raises FunctionError if it would not come back.

    >>> plain({"spans": [(0, 4)]}, "f")
    {'spans': [[0, 4]]}
    """
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcSUMm" and depth == 0:
        return value
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return value.item()
    if isinstance(value, (list, tuple)) and depth < NESTED:
        return [plain(item, maker, depth + 1) for item in value]
    if isinstance(value, dict) and depth < NESTED and all(isinstance(key, str) for key in value):
        return {key: plain(item, maker, depth + 1) for key, item in value.items()}
    shown = "a dict whose keys are not all text" if isinstance(value, dict) else f"a {type(value).__qualname__}"
    raise FunctionError(
        f"The preprocessor {maker!r} made {shown}, which cannot be kept on disk.\n"
        "Fix: return numbers, text, lists, dicts with text as keys, or one NumPy array; or leave out keep=."
    )
