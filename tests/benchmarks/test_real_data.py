from __future__ import annotations

import importlib
import io
import tarfile

import pytest


@pytest.fixture
def real_data():
    return importlib.import_module("real_data")


def pack(archive, name, content):
    with tarfile.open(archive, "w:xz") as packed:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        packed.addfile(entry, io.BytesIO(content))


def test_absent_data_says_where_it_looked_and_what_to_do(real_data, tmp_path):
    with pytest.raises(real_data.DataAbsent, match=r"group 'weak' is not here.*\nFix: set CONSILIENCE_DATA"):
        real_data.data_folder("weak", environ={}, archives=tmp_path, cache=tmp_path / "cache")


def test_a_named_folder_without_the_group_is_not_passed_over(real_data, tmp_path):
    pack(tmp_path / "weak.tar.xz", "weak/a.txt", b"a")
    named = {"CONSILIENCE_DATA": str(tmp_path / "elsewhere")}
    with pytest.raises(real_data.DataAbsent, match=r"no folder 'weak' in it.\nFix: unpack it there"):
        real_data.data_folder("weak", environ=named, archives=tmp_path, cache=tmp_path / "cache")


def test_a_named_folder_is_used_as_it_is(real_data, tmp_path):
    (tmp_path / "weak").mkdir()
    assert real_data.data_folder("weak", environ={"CONSILIENCE_DATA": str(tmp_path)}) == tmp_path / "weak"


def test_an_archive_is_unpacked_once(real_data, tmp_path):
    pack(tmp_path / "weak.tar.xz", "weak/a.txt", b"a")
    where = {"environ": {}, "archives": tmp_path, "cache": tmp_path / "cache"}
    folder = real_data.data_folder("weak", **where)
    assert (folder / "a.txt").read_bytes() == b"a"
    (folder / "a.txt").write_bytes(b"kept")
    real_data.data_folder("weak", **where)
    assert (folder / "a.txt").read_bytes() == b"kept"


def test_an_archive_cannot_write_outside_the_cache(real_data, tmp_path):
    pack(tmp_path / "weak.tar.xz", "../escaped.txt", b"a")
    with pytest.raises(tarfile.OutsideDestinationError):
        real_data.data_folder("weak", environ={}, archives=tmp_path, cache=tmp_path / "cache")
    assert not (tmp_path / "escaped.txt").exists()
