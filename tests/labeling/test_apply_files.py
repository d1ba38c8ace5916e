"""Applying to Parquet files: the votes of `apply`, whatever the pieces; only what changed; nothing lost or torn."""

from __future__ import annotations

import json
import os

import polars as pl
import pytest

import consilience as cs
from consilience.errors import DataError, FunctionError
from consilience.label_models.label_files import label_files
from consilience.labeling.apply_files import apply_files

LABELS = ["ham", "spam"]
TEXTS = ["free prize", "see you", "win now", "ok", "free", "lunch?", "win a free car", "yes", "no", "prize"]


def frame(n, first=0):
    return pl.DataFrame({"id": range(first, first + n), "text": [TEXTS[i % 10] + f" {i}" for i in range(n)]})


def functions(word="prize"):
    calls = []

    @cs.labeling_function("ham", "spam")
    def asks(row):
        if row.id == 13:
            raise ValueError("unlucky")
        return "ham" if row.text.endswith("5") else None

    asks.calls = calls
    return [cs.keywords("spam", ["free"], name="free"), cs.keywords("spam", [word], name="word"), asks]


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "rows"
    (folder / "day=2").mkdir(parents=True)
    frame(30).write_parquet(folder / "a.parquet", row_group_size=7)
    frame(25, 30).write_parquet(folder / "day=2" / "a.parquet")
    return folder


def written(votes):
    return pl.concat([pl.read_parquet(path).cast(pl.String) for path in votes.files])


@pytest.mark.parametrize("part_rows", [4, 11, 1000])
@pytest.mark.parametrize("workers", [0, 1])
def test_the_votes_are_those_of_apply(rows, tmp_path, part_rows, workers):
    votes = apply_files(functions(), rows, tmp_path / "v", labels=LABELS, part_rows=part_rows, workers=workers)
    table = cs.read(pl.concat([frame(30), frame(25, 30)]))
    matrix = cs.apply(functions(), table, labels=LABELS)
    found = written(votes)
    assert found["id"].to_list() == [str(i) for i in range(55)]
    for info in matrix.functions:
        assert found[info.name].to_list() == matrix.names_of(info.name)
    assert [f.failure and f.failure.count for f in votes.functions] == [None, None, 1]
    assert votes.functions[2].failure.first_id == "13" and "unlucky" in votes.functions[2].failure.first_error
    assert votes.n_rows == votes.computed == 55
    counted, patterns = votes.matrix(), matrix.patterns
    assert counted.n_rows == 55 and counted.patterns.votes.tolist() == patterns.votes.tolist()
    assert counted.patterns.counts.tolist() == patterns.counts.tolist()


def test_only_what_changed_is_computed(rows, tmp_path):
    into = tmp_path / "v"

    def again(word="prize", **options):
        votes = apply_files(functions(word), rows, into, labels=LABELS, part_rows=20, **options)
        return votes.computed, votes

    assert again()[0] == 55
    stamps = {path: path.stat().st_mtime_ns for path in again()[1].files}
    assert again()[0] == 0 and {path: path.stat().st_mtime_ns for path in stamps} == stamps
    frame(5, 90).write_parquet(rows / "b.parquet")
    assert again()[0] == 5
    os.utime(rows / "a.parquet")  # copied, perhaps: the rows are read, and found to be the same
    votes = again()[1]
    assert all(info.failure is None or info.failure.count == 1 for info in votes.functions)
    assert again("win")[0] == 60
    assert written(again("win")[1])["word"].drop_nulls().len() == 12
    (rows / "b.parquet").unlink()
    assert again("win")[1].n_rows == 55


def test_an_edited_function_costs_its_own_column(rows, tmp_path):
    seen = []

    class Counting(cs.LabelingFunction):
        kind, labels, description = "counting", ("spam",), ""

        def __init__(self, name, version):
            self.name, self.version = name, version

        @property
        def fingerprint(self):
            return f"{self.kind} {self.version}"

        def vote(self, batch, labels):
            seen.append((self.name, len(batch)))
            return cs.keywords("spam", ["free"]).vote(batch, labels)

    def again(*versions):
        seen.clear()
        made = [Counting(f"f{j}", version) for j, version in enumerate(versions)]
        apply_files(made, rows, tmp_path / "v", labels=LABELS, part_rows=20)
        return list(seen)

    assert len(again("a", "b")) == 8  # two pieces of each of two files, two functions
    assert again("a", "b") == []
    assert {name for name, _ in again("a", "c")} == {"f1"}
    assert again("c", "a") == []  # renamed, or in another order


def test_a_torn_or_foreign_file_of_votes_is_made_again(rows, tmp_path):
    votes = apply_files(functions(), rows, tmp_path / "v", labels=LABELS, part_rows=20)
    first, second = votes.files[:2]
    whole, before = first.read_bytes(), written(votes)
    first.write_bytes(whole[: len(whole) // 2])
    pl.DataFrame({"x": [1]}).write_parquet(second)
    again = apply_files(functions(), rows, tmp_path / "v", labels=LABELS, part_rows=20)
    assert again.computed == 30 and written(again).equals(before)


def test_files_that_are_not_ours_are_left_alone(rows, tmp_path):
    (tmp_path / "v").mkdir()
    mine = tmp_path / "v" / "mine.votes.parquet"
    pl.DataFrame({"x": [1]}).write_parquet(mine)
    apply_files(functions(), rows / "a.parquet", tmp_path / "v", labels=LABELS)
    assert mine.exists()


def test_rows_that_cannot_be_are_set_aside_with_their_place(tmp_path):
    bad = pl.DataFrame({"id": ["a", "b", "a", None, "e"], "text": ["free", None, "free", "x", "prize"]})
    bad.write_parquet(tmp_path / "bad.parquet")
    votes = apply_files(functions()[:2], tmp_path / "bad.parquet", tmp_path / "v", labels=LABELS)
    lines = [json.loads(line) for line in (tmp_path / "v" / "rejects.jsonl").read_text().splitlines()]
    assert [line["line"] for line in lines] == [2, 3, 4] and votes.rejects == 3
    assert written(votes)["id"].to_list() == ["a", "e"]


def test_without_ids_a_row_is_known_by_its_place(tmp_path):
    frame(9).drop("id").write_parquet(tmp_path / "x.parquet")
    votes = apply_files(functions()[:2], str(tmp_path / "*.parquet"), tmp_path / "v", labels=LABELS, part_rows=4)
    assert written(votes)["row"].to_list() == [str(i) for i in range(9)]


def test_functions_that_are_given_up_are_tried_again(tmp_path):
    frame(9).write_parquet(tmp_path / "x.parquet")

    @cs.labeling_function("spam")
    def leaves(row):
        os._exit(1)

    for _ in range(2):
        votes = apply_files([leaves], tmp_path / "x.parquet", tmp_path / "v", labels=LABELS, workers=1)
        assert votes.computed == 9 and votes.functions[0].failure.given_up


def test_what_cannot_be_is_said(tmp_path, rows):
    with pytest.raises(DataError, match=r"no Parquet file in(.|\n)*Fix"):
        apply_files(functions(), tmp_path / "none", tmp_path / "v", labels=LABELS)
    with pytest.raises(DataError, match=r"has no column 'txt'(.|\n)*'text'"):
        apply_files(functions(), rows, tmp_path / "v", labels=LABELS, text="txt")
    with pytest.raises(FunctionError, match=r"called 'id', as the column of ids(.|\n)*Fix"):
        apply_files([cs.keywords("spam", ["x"], name="id")], rows, tmp_path / "v", labels=LABELS)
    (rows / "broken.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"broken.parquet is not a readable(.|\n)*Fix"):
        apply_files(functions(), rows, tmp_path / "v", labels=LABELS)


def test_names_that_look_like_patterns_are_names(tmp_path):
    folder = tmp_path / "rows [1]*"
    folder.mkdir()
    for name in ("a*b.parquet", "a[b].parquet", "aXb.parquet"):
        with (folder / name).open("wb") as out:
            frame(5 if name == "a*b.parquet" else 7).write_parquet(out)
    into = folder / "into [2]?"
    votes = apply_files(functions(), folder / "a*b.parquet", into / "votes", labels=LABELS)
    assert (votes.n_rows, votes.computed) == (5, 5)
    votes = apply_files(functions(), folder, into / "votes", labels=LABELS)
    assert (votes.n_rows, votes.computed) == (19, 14)
    files = label_files(cs.MajorityVote().fit(votes.matrix()), votes, into / "labels")
    assert sorted(len(pl.read_parquet(file, glob=False)) for file in files) == [5, 7, 7]
    again = apply_files(functions(), folder, into / "votes", labels=LABELS)  # files of labels there are no rows
    assert (again.n_rows, again.computed) == (19, 0)


def test_patterns_with_other_marks_than_stars(tmp_path, rows):
    votes = apply_files(functions(), str(rows / "[ab].parquet"), tmp_path / "v", labels=LABELS)
    assert votes.files[0].parent == tmp_path / "v"


def test_a_small_file_that_claims_to_be_huge_is_an_error(tmp_path, monkeypatch):
    from consilience.data.sources import arrow

    frame(30).write_parquet(tmp_path / "r.parquet")
    monkeypatch.setattr(arrow, "CELLS_FREE", 5)
    monkeypatch.setattr(arrow, "CELLS_A_BYTE", 0)
    with pytest.raises(DataError, match=r"claims 30 rows of 2 columns .*\nFix"):
        apply_files(functions(), tmp_path / "r.parquet", tmp_path / "v", labels=LABELS)
