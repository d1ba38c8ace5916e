"""Arrays on disk: what goes in comes out, equal input is equal bytes, and nothing else is read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from consilience.errors import StoreError
from consilience.store import arrays

KINDS = st.sampled_from([np.float64, np.int8, np.int64, np.uint8, bool, "U3"])
ARRAYS = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    KINDS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))),
    max_size=3,
)
META = st.dictionaries(
    st.sampled_from(["labels", "é", "n"]), st.lists(st.text(max_size=3)) | st.floats(allow_nan=False)
)


@given(META, ARRAYS)
def test_what_is_packed_is_loaded(meta, parts):
    found, loaded = arrays.load(arrays.pack("thing", meta, parts), "thing")
    assert found == {"kind": "thing", **meta}
    assert set(loaded) == set(parts)
    for name, part in parts.items():
        assert loaded[name].dtype == part.dtype and np.array_equal(loaded[name], part, equal_nan=part.dtype.kind == "f")


@given(ARRAYS)
def test_equal_input_makes_equal_bytes(parts):
    turned = {name: np.asfortranarray(part) for name, part in parts.items()}
    assert arrays.pack("thing", {"a": 1, "b": 2}, parts) == arrays.pack("thing", {"b": 2, "a": 1}, turned)


def test_objects_are_not_packed():
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        arrays.pack("thing", {}, {"x": np.array([object()])})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04.", b"{}"])
def test_other_content_is_refused(content):
    with pytest.raises(StoreError, match=r"the given bytes is not a model saved by Consilience(.|\n)*Fix"):
        arrays.load(content, "thing")


def test_plain_npz_files_are_refused(tmp_path):
    np.savez(tmp_path / "plain.npz", x=np.ones(2))
    np.savez(tmp_path / "other.npz", meta=np.frombuffer(json.dumps({"kind": "thing"}).encode(), np.uint8))
    for name in ("plain.npz", "other.npz"):
        with pytest.raises(StoreError, match="is not a model saved by Consilience"):
            arrays.load(tmp_path / name, "thing")


def test_another_kind_another_format_and_no_file_are_named(tmp_path, monkeypatch):
    arrays.save(tmp_path / "a.npz", "thing", {}, {})
    with pytest.raises(StoreError, match=r"holds a thing, not a other.\nFix"):
        arrays.load(tmp_path / "a.npz", "other")
    assert arrays.load(tmp_path / "a.npz", "any")[0] == {"kind": "thing"}
    with pytest.raises(StoreError, match=r"There is no file .*b.npz.\nFix"):
        arrays.load(tmp_path / "b.npz", "thing")
    monkeypatch.setattr(arrays, "FORMAT", 2)
    with pytest.raises(StoreError, match=r"has format 1, this version reads 2.\nFix"):
        arrays.load(tmp_path / "a.npz", "thing")
