"""A project keeps rows, votes, models and runs, and computes only what changed."""

from __future__ import annotations

import json
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from consilience import Labels
from consilience.errors import DataError, FunctionError, LabelError, ModelError, StoreError, TrustError
from consilience.project import project as module
from consilience.project.diff import compare_runs
from consilience.project.doctor import examine
from consilience.project.export import export_to
from consilience.project.project import Project, find_project
from consilience.project.trust import is_trusted, trust

DECLARED = """
[money]
label = "spam"
keywords = ["cash", "prize"]

[link]
label = "spam"
pattern = 'www'

[short]
label = "ham"
expression = "length(text) < 12"
"""
WRITTEN = '''
import consilience as cs

GREETINGS = {"hi", "hello"}

@cs.labeling_function("ham")
def greets(row):
    """People say hello."""
    return row.text.split()[0] in GREETINGS
'''


def messages(n, offset=0):
    kinds = [
        ("cash prize at www", "spam"),
        ("hello you", "ham"),
        ("win cash today please", "spam"),
        ("hi there mate", "ham"),
    ]
    return [{"text": f"{kinds[i % 4][0]} {i}", "label": kinds[i % 4][1]} for i in range(offset, offset + n)]


@pytest.fixture
def project(tmp_path):
    made = Project.init(tmp_path / "p", labels=["ham", "spam"], gold="label")
    (made.folder / "lfs.toml").write_text(DECLARED)
    (made.folder / "lfs.py").write_text(WRITTEN)
    made.add(messages(80))
    yield made
    made.close()


def computed(matrix):
    return [info.name for info in matrix.functions if not info.from_store]


def test_the_whole_way_from_rows_to_an_export(project, tmp_path):
    matrix = project.apply()
    assert matrix.names == ["money", "link", "short", "greets"]
    model, fit = project.fit()
    _, train = project.train(min_confidence=0.5)
    reports, run = project.evaluate(slices=["money", "short & !link"], supervised=True)
    assert list(reports) == ["majority vote", "label model", "end model", "trained on all gold"]
    assert reports["end model"].accuracy.value > 0.9
    assert [s.name for s in reports["end model"].slices] == ["money", "short & !link"]
    assert [r.kind for r in project.runs()] == ["apply", "fit", "train", "eval"]
    assert run.record["fit"] == fit.id
    assert run.record["train"] == train.id
    for name in ("a.parquet", "a.jsonl", "a.csv", "folder"):
        assert export_to(project, tmp_path / name) == len(project.training_set())
    assert export_to(project, tmp_path / "b.parquet", "predictions") == 80
    assert np.array_equal(project.label_model().predict_proba(matrix), model.predict_proba(matrix))


def test_only_the_changed_function_is_computed_again(project):
    assert len(computed(project.apply())) == 4
    assert computed(project.apply()) == []
    (project.folder / "lfs.toml").write_text(DECLARED.replace('"cash"', '"money", "cash"'))
    assert computed(project.apply()) == ["money"]
    (project.folder / "lfs.py").write_text(WRITTEN.replace('"hello"}', '"hello", "yo"}'))
    assert computed(project.apply()) == ["greets"]
    (project.folder / "lfs.py").write_text(WRITTEN.replace("People say hello.", "Only the words of the docstring."))
    project.apply()
    (project.folder / "lfs.py").write_text(WRITTEN.replace("def greets", "def renamed"))
    assert computed(project.apply()) == []


def test_added_rows_leave_the_votes_on_old_rows_alone(project):
    project.apply()
    before = project.catalogue.one("SELECT count(*) AS n FROM vote_column")["n"]
    assert project.add(messages(20, offset=80)).n_rows == 20
    with pytest.raises(StoreError, match=r"changed since the last apply.*\nFix: run `consilience apply`"):
        _ = project.matrix
    assert len(project.apply()) == 100
    assert project.catalogue.one("SELECT count(*) AS n FROM vote_column")["n"] == 2 * before


def test_the_same_rows_twice_change_nothing_and_known_ids_are_set_aside(project):
    assert project.add(messages(80)).was_there
    again = project.add(messages(90))
    assert again.n_rows == 10
    assert len(again.rejects) == 80
    assert "already has the id" in again.rejects[0].reason


def test_a_stored_matrix_equals_the_applied_one_and_runs_no_code(project):
    matrix = project.apply()
    (project.folder / "lfs.py").write_text("raise SystemExit('must not run')")
    assert np.array_equal(project.matrix.votes, matrix.votes)
    assert project.matrix.names == matrix.names


def test_people_see_the_gold_of_dev_rows_only(project):
    project.apply()
    assert project.open_matrix().n_gold == len(project.split["dev"])
    assert project.open_matrix("test").n_gold == 0
    assert project.matrix.n_gold == 80


def test_errors_come_before_their_cause_is_needed(project):
    for act, hint in (
        (lambda: project.matrix, "consilience apply"),
        (project.label_model, "consilience fit"),
        (project.classifier, "consilience train"),
        (lambda: project.run(99), "consilience runs"),
    ):
        with pytest.raises(StoreError, match=f"Fix: .*{hint}"):
            act()
    project.apply()
    with pytest.raises(ModelError, match="Did you mean 'majority'"):
        project.fit("majorit")
    with pytest.raises(DataError, match="There is no part 'tset'"):
        project.part_named("tset")


def test_a_project_without_gold_trains_and_says_it_cannot_score(tmp_path):
    project = Project.init(tmp_path, labels=["ham", "spam"])
    (tmp_path / "lfs.toml").write_text(DECLARED)
    project.add([{"text": row["text"]} for row in messages(40)])
    project.apply()
    project.fit()
    project.train()
    with pytest.raises(DataError, match="No row has gold"):
        project.evaluate()
    project.close()


def test_python_from_elsewhere_does_not_run_before_it_is_trusted(project, tmp_path):
    project.close()
    copy = tmp_path / "copy"
    shutil.copytree(project.folder, copy)
    (copy / "lfs.py").write_text("raise SystemExit('this ran')")
    stranger = Project(copy)
    with pytest.raises(TrustError, match=r"nobody on this machine has trusted.*\nFix: .*consilience trust"):
        stranger.apply()
    assert stranger.apply(python=False).names == ["money", "link", "short"]
    assert not is_trusted(copy)
    (copy / "lfs.py").write_text(WRITTEN)
    trust(copy)
    assert "greets" in stranger.apply().names
    stranger.close()


def test_a_folder_that_takes_the_place_of_a_trusted_one_is_not_trusted(project, tmp_path):
    other = tmp_path / "other"
    Project.init(other, labels=["ham", "spam"], trusted=False).close()
    project.close()
    shutil.rmtree(project.folder)
    shutil.copytree(other, project.folder)
    assert not is_trusted(project.folder)


def test_init_does_not_trust_python_that_was_there_before(tmp_path):
    (tmp_path / "lfs.py").write_text("raise SystemExit('this ran')")
    Project.init(tmp_path, labels=["a", "b"]).close()
    assert not is_trusted(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[projct]\nlabels = ['a']", "Did you mean 'project'"),
        ("[project]\nlabels = ['a', 'b']\n[data]\ntxt = 'x'", "Did you mean 'text'"),
        ("[project]\nlabels = 'a'", "labels in .project. is 'a'"),
        ("[project", "cannot be read"),
        ("[data]\ntext = 'x'", "names no labels"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, message):
    (tmp_path / "consilience.toml").write_text(text)
    with pytest.raises(StoreError, match=message):
        Project(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nlabel = 'spam'", r"\[a\] in .* is not a function"),
        ("[a]\nlabel = 'spam'\npattern = '(?=x)'", "look-around"),
        ("[a]\nlabel = 'spam'\npattern = 'x'\nignorecase = true", "Did you mean 'ignore_case'"),
        ("[a]\nlabel = 'spam'\nkeywords = []", "no phrase at all"),
        ("a = 1", "is not a function"),
        ("[a", "cannot be read"),
        ("[a]\nlookup = 'none.csv'\non = ['text']\nlabel = 'spam'", r"\[a\] in .*no file"),
        ("[a]\nlookup = 'none.csv'\nlabel = 'spam'", "does not say which columns"),
        ("[a]\nlookup = 7\non = ['text']\nlabel = 'spam'", "cannot be"),
        ("[a]\nlookup = '../known.csv'\non = ['text']\nlabel = 'spam'", "outside the project's folder"),
        ('[a]\nlookup = "a\\u0000b.csv"\non = ["text"]\nlabel = "spam"', "outside the project's folder"),
        (
            "[a]\nlabel = 'spam'\nkeywords = ['x']\nignore_case = 'no'",
            r"ignore_case = 'no'.\nFix: give it true or false",
        ),
        ("[a]\nlabel = 'spam'\npattern = 'x'\ncolumn = 3", r"column = 3.\nFix: give it a name in quotes"),
        ("[a]\nmodel = 'm.pkl'", "is a pickle"),
        ("[a]\nmodel = 'm.onnx'\nthreshhold = 0.9", "Did you mean 'threshold'"),
        ("[a]\ncrowd = 'none.csv'", r"\[a\] in .*no file"),
        ("[a]\nlabel = 'sapm'\nkeywords = ['x']", "Did you mean 'spam'"),
    ],
)
def test_wrong_declarations_are_named(project, text, message):
    (project.folder / "lfs.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        project.apply()


@pytest.mark.parametrize(
    ("code", "message"),
    [("def f(:", "line 1"), ("x = 1\ny = 1 / 0", "line 2 .*ZeroDivisionError"), ("import nothing_such", "")],
)
def test_a_broken_lfs_py_names_its_line(project, code, message):
    (project.folder / "lfs.py").write_text(code)
    with pytest.raises(FunctionError, match=rf"lfs\.py failed at {message}"):
        project.apply()


def test_a_function_may_use_a_module_beside_it(project):
    (project.folder / "words.py").write_text("GOOD = {'hi'}")
    (project.folder / "lfs.py").write_text(
        "import consilience as cs\nfrom words import GOOD\n\n"
        "@cs.labeling_function('ham')\ndef good(row):\n    return bool(GOOD & set(row.text.split()))\n"
    )
    assert "good" in project.apply().names


def test_diff_tells_what_changed_and_what_came_of_it(project):
    project.apply()
    _, first = project.fit("majority")
    (project.folder / "lfs.toml").write_text(DECLARED.replace('"prize"', '"win"'))
    project.apply()
    _, second = project.fit("dawid-skene")
    changed = {row[0] for row in compare_runs(project.run(first.id), project.run(second.id)).rows}
    assert {"model", "functions money"} <= changed
    assert "functions link" not in changed
    with pytest.raises(StoreError, match="compare runs of one kind"):
        compare_runs(project.run(1), second)


def test_doctor_finds_damage_and_mends_what_can_be_made_again(project):
    project.apply()
    project.fit()
    assert not [f for f in examine(project) if f.damage]
    column = project.catalogue.one("SELECT blob FROM vote_column")["blob"]
    project.blobs.path(column).write_bytes(b"rubbish")
    part = project.catalogue.one("SELECT blob FROM part")["blob"]
    project.blobs.path(part).unlink()
    found = [f for f in examine(project) if f.damage]
    assert len(found) == 2
    assert any("80 rows from memory: add that file again" in f.fix for f in found)
    assert all(f.mended for f in examine(project, repair=True) if f.damage)
    fresh = Project(project.folder)
    fresh.add(messages(80))
    assert len(fresh.apply()) == 80
    assert not [f for f in examine(fresh) if f.damage]
    fresh.close()


def test_doctor_finds_files_that_nobody_asks_for(project):
    project.blobs.put(b"left over")
    later = Project(project.folder, clock=lambda: project.clock() + 3600)
    assert "1 files in the store are no longer asked for" in [f.what for f in examine(later)]
    examine(later, repair=True)
    assert not any("no longer" in f.what for f in examine(later))
    later.close()


def test_a_project_is_found_from_below_and_not_from_elsewhere(project, tmp_path):
    below = project.folder / "a" / "b"
    below.mkdir(parents=True)
    assert find_project(below) == project.folder
    with pytest.raises(StoreError, match="consilience init"):
        find_project(tmp_path)


def test_a_second_project_is_not_made_over_a_first(project):
    with pytest.raises(StoreError, match="There is a project"):
        Project.init(project.folder, labels=["a"])


def test_rows_without_the_gold_column_may_follow_rows_with_it(project, tmp_path):
    added = project.add([{"text": f"hello number {i}"} for i in range(10)])
    assert added.n_rows == 10
    assert (len(project.table), project.table.n_gold) == (90, 80)
    assert len(project.apply()) == 90
    other = Project.init(tmp_path / "other", labels=["ham", "spam"], gold="label")
    with pytest.raises(DataError, match="has no column 'label'"):
        other.add([{"text": "hello", "lable": "ham"}])
    other.close()


# votes for sets of labels


SETS = """
[alive]
label = "animal"
keywords = ["purrs", "barks"]
[loud]
label = "not cat"
keywords = ["barks", "honks"]
[anna]
recorded = "anna"
labels = ["animal", "car|vélo", "car"]
"""
SETS_WRITTEN = """
import consilience as cs

@cs.labeling_function("cat", cs.OneOf("dog", "car"))
def sure(row):
    return {"cat"} if "purrs" in row.text else {"car", "dog"} if "honks" in row.text else None
"""
SAYS = ["it purrs", "it barks", "it honks", "it rings"]


@pytest.fixture
def zoo(tmp_path):
    labels = Labels("cat", "dog", "car", "vélo", groups={"wheels": ["car", "vélo"], "animal": ["cat", "dog"]})
    made = Project.init(tmp_path / "zoo", labels=labels, gold="y")
    (made.folder / "lfs.toml").write_text(SETS)
    (made.folder / "lfs.py").write_text(SETS_WRITTEN)
    anna = ["animal", "dog|cat", "vélo|car", None]
    for start in (0, 40):  # two parts, which do not say the same things
        rows = [(i, (i + i // 4) % 4 if start == 0 else i % 2) for i in range(start, start + 40)]
        made.add([{"text": f"{SAYS[c]} {i}", "y": labels[c], "anna": anna[c]} for i, c in rows])
    yield made
    made.close()


def test_sets_of_labels_are_kept_in_a_project_and_understood_without_its_code(zoo):
    config = Project(zoo.folder).config
    assert config.labels == zoo.config.labels and list(config.labels.groups) == ["wheels", "animal"]
    applied = zoo.apply()
    (zoo.folder / "lfs.py").write_text("1 / 0")
    stored = Project(zoo.folder).matrix
    assert stored.labels == applied.labels and (stored.votes == applied.votes).all()
    assert set(stored.names_of("anna")) == {"animal", "wheels", None}
    assert set(stored.names_of("sure")) == {"cat", "car|dog", None}
    assert len(zoo.open_matrix().where("gold=animal & alive=animal")) > 0
    assert len(zoo.matrix.where('loud="not cat" & gold=cat')) == 0
    _, run = zoo.fit()
    assert zoo.label_model().labels_ == applied.labels and 0 < run.record["accuracies"]["alive"] <= 1
    zoo.train()
    assert zoo.evaluate(supervised=True)[0]["label model"].accuracy.value > 0.5
    assert not zoo.training_set().labels.groups


def test_columns_of_sets_are_kept_until_what_they_mean_changes(zoo):
    (zoo.folder / "lfs.toml").write_text(SETS.partition("[anna]")[0])
    zoo.apply()
    assert computed(zoo.apply()) == []
    settings = (zoo.folder / "consilience.toml").read_text()
    changed = settings.replace('"animal" = ["cat", "dog"]', '"animal" = ["cat", "dog", "car"]')
    assert changed != settings
    (zoo.folder / "consilience.toml").write_text(changed)
    again = Project(zoo.folder)
    with pytest.raises(StoreError, match=r"Rows or labels have changed since the last apply.\nFix"):
        _ = again.matrix
    assert set(computed(again.apply())) == {"alive"}
    assert again.matrix.labels.members("animal") == ("cat", "dog", "car")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("animal = []", "has 0 of 4 labels"),
        ("animal = 3", "has the labels 3"),
        ('animal = "cat"', "has the labels 'cat'"),
        ('cat = ["dog"]', "'cat' cannot be a group"),
        ('animal = ["cat", "dgo"]', "'dgo' is not a label"),
        ("animal = [1]", "1 is not a label"),
    ],
)
def test_groups_in_settings_that_cannot_be_are_named_with_the_file(tmp_path, groups, message):
    (tmp_path / "consilience.toml").write_text(
        f'[project]\nlabels = ["cat", "dog", "car", "vélo"]\n[groups]\n{groups}\n', "utf-8"
    )
    with pytest.raises(StoreError, match=f"(?s)consilience.toml.*{message}.*Fix: "):
        Project(tmp_path)


def test_a_declared_function_that_says_an_impossible_set_is_named(zoo):
    (zoo.folder / "lfs.toml").write_text('[f]\nlabel = "cat|eggs"\nkeywords = ["x"]\n')
    with pytest.raises(LabelError, match=r"Function 'f' may say what it cannot: 'cat\|eggs' is not a label.\nFix"):
        zoo.apply()
    (zoo.folder / "lfs.toml").write_text('[f]\nrecorded = "anna"\nlabels = "cat"\n')
    with pytest.raises(FunctionError, match=r"\[f\] in (.|\n)*cannot be labels.\nFix"):
        zoo.apply()


# large projects, in pieces


@pytest.fixture
def pieces(project, monkeypatch):
    """A project of 80 rows in 4 pieces of 20."""
    monkeypatch.setattr(module, "PART_ROWS", 20)
    made = Project.init(project.folder.parent / "pieces", labels=["ham", "spam"], gold="label")
    (made.folder / "lfs.toml").write_text(DECLARED)
    (made.folder / "lfs.py").write_text(WRITTEN)
    assert made.add(messages(80)).n_rows == 80
    yield made
    made.close()


def test_votes_do_not_depend_on_the_pieces(project, pieces):
    assert len(pieces.parts) == 4 and len(project.parts) == 1
    assert pieces.apply().votes.tolist() == project.apply().votes.tolist()
    assert pieces.table.ids.to_list() == project.table.ids.to_list()
    assert pieces.split["test"].ids.to_list() == project.split["test"].ids.to_list()


def test_the_same_rows_twice_change_nothing_in_pieces_either(pieces):
    assert pieces.add(messages(80)).was_there
    assert len(pieces.table) == 80


def test_a_run_that_was_broken_off_goes_on_where_it_was(pieces):
    broken = WRITTEN + "\n@cs.labeling_function('spam')\ndef stops(row):\n    if row.text.endswith(' 45'):\n"
    (pieces.folder / "lfs.py").write_text(broken + "        raise KeyboardInterrupt\n    return 'cash' in row.text\n")
    with pytest.raises(KeyboardInterrupt):
        pieces.apply()
    assert not pieces.runs()
    (pieces.folder / "lfs.py").write_text(WRITTEN)
    matrix = pieces.apply()
    assert (
        pieces.runs()[-1].record["rows_computed"] == 40
    )  # two whole pieces, and the fast kinds on the third, are kept
    assert not any(info.from_store for info in matrix.functions[3:])
    assert computed(pieces.apply()) == []


def test_a_store_of_the_first_version_is_read_and_brought_up_to_date(project):
    before = project.apply()
    db = project.catalogue
    for row in db.all("SELECT key, blob, field FROM vote_column"):
        votes = pl.read_parquet(BytesIO(project.blobs.get(row["blob"])))[row["field"]].cast(pl.String).alias("vote")
        buffer = BytesIO()
        pl.DataFrame(votes).write_parquet(buffer)
        db.write("UPDATE vote_column SET blob = ? WHERE key = ?", project.blobs.put(buffer.getvalue()), row["key"])
    for column in ("field", "stops"):
        db.write(f"ALTER TABLE vote_column DROP COLUMN {column}")
    db.write("PRAGMA user_version = 1")
    project.close()
    again = Project(project.folder)
    assert again.catalogue.one("PRAGMA user_version")[0] == 2
    assert again.matrix.votes.tolist() == before.votes.tolist()
    assert computed(again.apply()) == []
    again.close()


def test_votes_of_functions_that_are_gone_are_kept_until_the_doctor_tidies_up(project):
    project.apply()
    (project.folder / "lfs.toml").write_text(DECLARED.replace("'www'", "'w3'"))
    project.apply()
    assert [f.what for f in examine(project) if "columns" in f.what] == [
        "1 columns of votes are of functions or rows that the last apply did not have"
    ]
    (project.folder / "lfs.toml").write_text(DECLARED)
    assert computed(project.apply()) == []  # an edit undone costs nothing
    assert any(f.mended for f in examine(project, tidy=True))
    assert not [f for f in examine(project) if "columns" in f.what]
    assert computed(project.apply()) == []


def test_rows_set_aside_are_kept_in_a_file_with_the_file_and_line_they_were_in(tmp_path):
    project = Project.init(tmp_path / "p", labels=["ham", "spam"], trusted=False)
    (tmp_path / "one.jsonl").write_text('{"id": "a", "text": "hi"}\n\n{"id": "b", "text": "ho"}\n')
    (tmp_path / "two.jsonl").write_text('\n{"id": "c", "text": "x"}\n\nnonsense\n{"id": "b", "text": "old"}\n')
    project.add(tmp_path / "one.jsonl")
    added = project.add(tmp_path / "two.jsonl")
    assert [reject.line for reject in added.rejects] == [4, 5]
    kept = [json.loads(line) for line in (project.store / "rejects.jsonl").read_text().splitlines()]
    assert [(Path(line["file"]).name, line["line"]) for line in kept] == [("two.jsonl", 4), ("two.jsonl", 5)]
    assert kept[1]["reason"] == "the project already has the id 'b'"
    project.add([{"id": "a", "text": "again"}, {"id": "d", "text": "new"}])
    assert len((project.store / "rejects.jsonl").read_text().splitlines()) == 3


# several functions at once
HELD = """
import consilience as cs
crew = cs.crowd([{"item": "m1", "worker": w, "label": "spam"} for w in ("ann", "bob")])
link = cs.pattern("spam", "www")
by_word = [cs.keywords("spam", [word]) for word in ("cash", "prize")] + [link]
named = {"short": cs.expression("ham", "length(text) < 12"), "link again": link}
pair = (cs.keywords("ham", ["you"], name="you"),)
nothing, numbers, words = [], [1, 2], {"a": "b"}
"""


def test_functions_in_lists_dicts_and_crowds_are_used_too(project):
    (project.folder / "lfs.toml").write_text("")
    (project.folder / "lfs.py").write_text(HELD)
    assert project.apply().names == ["ann", "bob", "link", "by_word_1", "by_word_2", "short", "you"]


def test_a_list_of_functions_and_other_things_is_pointed_out(project):
    (project.folder / "lfs.py").write_text("import consilience as cs\nmixed = [cs.pattern('spam', 'x'), 'y']\n")
    with pytest.raises(FunctionError, match=r"mixed in .*lfs.py holds labeling functions and 'y'.\nFix"):
        project.apply()


def test_a_crowd_is_declared_by_its_answers(project):
    answers = "item,worker,label\nm1,7,spam\nm2,7,ham\nm1,zoé,spam\n"
    (project.folder / "answers.csv").write_text(answers, "utf-8")
    (project.folder / "lfs.toml").write_text("[crew]\ncrowd = 'answers.csv'\n")
    (project.folder / "lfs.py").unlink(missing_ok=True)
    matrix = project.apply()
    assert matrix.names == ["crew.7", "crew.zoé"]
    (project.folder / "answers.csv").write_text(answers.replace("m2,7,ham", "m2,7,spam"), "utf-8")
    assert [info.from_store for info in project.apply().functions] == [False, True]
    assert len(matrix.where("crew.7=spam")) <= 1


def test_repair_does_not_delete_rows_that_another_process_is_adding(project):
    other = Project(project.folder)
    with other.catalogue.writing():
        blob = other.blobs.put(b"rows that took more than a minute to read")
        later = project.clock() + 3600
        project.clock = lambda: later
        project.catalogue._db.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(StoreError, match="database is locked"):
            examine(project, repair=True)
        assert other.blobs.get(blob)
    examine(project, repair=True)
    assert not other.blobs.path(blob).exists()
    other.close()


@pytest.mark.parametrize("name", ["", "blobs", "catalogue.sqlite", "vectors"])
def test_a_store_that_leads_elsewhere_is_used_only_where_the_folder_is_trusted(tmp_path, monkeypatch, name):
    monkeypatch.setenv("CONSILIENCE_HOME", str(tmp_path / "home"))
    folder, outside = tmp_path / "copied", tmp_path / "outside"
    Project.init(folder, labels=["ham", "spam"], trusted=False).close()
    place = folder / ".consilience" / name
    if place.exists():
        shutil.move(place, outside)
    else:
        outside.mkdir()
    place.symlink_to(outside)
    with pytest.raises(StoreError, match=r"leads out of the project's folder, .*\nFix: delete that link"):
        Project(folder)
    trust(folder)
    Project(folder).close()


def test_repair_deletes_nothing_that_is_not_named_as_ours(project):
    mine = project.blobs.folder / "ab" / "letter.txt"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("dear")
    project.clock = lambda: mine.stat().st_mtime + 3600
    examine(project, repair=True)
    assert mine.exists()
