"""Files are there whole or not at all; blobs are named by what they hold."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience.errors import StoreError
from consilience.store.files import Blobs, replacing, replacing_folder, sha256


def test_a_file_is_written_with_its_folders(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    with replacing(path) as out:
        out.write(b"whole")
    assert path.read_bytes() == b"whole"


def test_until_the_end_a_reader_sees_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as out:
        out.write(b"new")
        out.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["file"]


def write_half(path, error):
    with replacing(path) as out:
        out.write(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_on_the_way_keeps_the_old_file_and_leaves_nothing_behind(tmp_path, error):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_an_error_on_the_way_to_a_new_file_makes_none(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file"):
        _ = 1 / 0
    assert os.listdir(tmp_path) == []


def test_files_can_be_read_by_those_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "file") as out:
            out.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError), replacing(tmp_path / "file") as out:
        out.write(b"x")
    assert os.listdir(tmp_path) == ["file"]


# blobs


@given(st.lists(st.binary(max_size=20), max_size=6))
def test_what_is_put_is_got_and_the_same_content_is_stored_once(tmp_path_factory, contents):
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    names = [blobs.put(content) for content in contents]
    assert [blobs.get(name) for name in names] == contents
    assert blobs.names() == sorted({hashlib.sha256(content).hexdigest() for content in contents})


def test_a_damaged_blob_is_found_out(tmp_path):
    blobs = Blobs(tmp_path)
    name = blobs.put(b"content")
    blobs.path(name).write_bytes(b"c0ntent")
    with pytest.raises(StoreError, match=r"is damaged: its content no longer matches its name.\nFix"):
        blobs.get(name)


def test_a_lost_blob_is_named(tmp_path):
    name = sha256(b"never put")
    with pytest.raises(StoreError, match=f"The store has lost {name[:12]}… in .*\nFix: run `consilience doctor"):
        Blobs(tmp_path).get(name)


def test_half_written_files_are_no_blobs(tmp_path):
    blobs = Blobs(tmp_path)
    name = blobs.put(b"content")
    (blobs.path(name).parent / f".{name}.x.part").write_bytes(b"half")
    assert blobs.names() == [name]


# folders


def test_until_the_end_a_reader_sees_the_old_folder(tmp_path):
    folder = tmp_path / "made"
    for content in ("old", "new"):
        with replacing_folder(folder, "sign") as new:
            (new / "sign").write_text(content)
            assert not folder.exists() or (folder / "sign").read_text() == "old"
        assert (folder / "sign").read_text() == content and os.listdir(tmp_path) == ["made"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_that_is_not_finished_leaves_the_old_one(tmp_path, error):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "sign").write_text("old")

    def make_half():
        with replacing_folder(folder, "sign") as new:
            (new / "half").write_text("half")
            raise error

    with pytest.raises(error):
        make_half()
    assert os.listdir(tmp_path) == ["made"] and os.listdir(folder) == ["sign"]


def test_a_folder_that_holds_something_else_is_in_the_way(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").write_text("years")
    with pytest.raises(StoreError, match=r"holds something else.\nFix"), replacing_folder(tmp_path / "mine", "sign"):
        raise AssertionError("the block must not run")
    assert os.listdir(tmp_path / "mine") == ["thesis"]
