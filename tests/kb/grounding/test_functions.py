"""Functions of the user's: callables and scripts give rows with counts; what fails is set aside and told."""

from __future__ import annotations

import stat
import sys

import polars as pl
import pytest

from consilience.errors import FunctionError, ProgramError, TrustError
from consilience.kb.grounding.functions import function_fingerprint
from consilience.kb.grounding.ground import ground
from consilience.kb.grounding.load import load
from consilience.kb.grounding.scripts import array, from_tsj, from_tsv, run_script, to_tsj, to_tsv
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree as t


def program(style="python", implementation="words:split", outputs="relation"):
    columns = (t.Column("doc", "int"), t.Column("word", "text"))
    returned = "word" if outputs == "relation" else outputs
    return t.Program(
        (
            t.Relation("text", (t.Column("id", "int"), t.Column("body", "text"))),
            t.Relation("word", columns),
            t.Function("split", columns, returned, implementation, style),
            t.FunctionCall(
                "word", "split", (t.Name("d"), t.Name("b")), ((t.Atom("text", (t.Name("d"), t.Name("b"))),),)
            ),
        )
    )


def split(doc, body):
    for word in body.split():
        yield doc, word


def grounded(made, rows=((1, "a b"), (1, "a b"), (2, "c")), **options):
    store = Store.open(threads=1)
    load(store, made, "text", pl.DataFrame(list(rows), schema={"id": pl.Int64, "body": pl.String}, orient="row"))
    return store, ground(store, made, **options)


def words(store):
    return sorted(store.rows("SELECT doc, word, sum(_count)::BIGINT FROM word GROUP BY ALL"))


def script(folder, text, name="f.py"):
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return name


def test_a_callable_is_called_once_for_each_input_and_its_rows_count_as_often_as_the_input():
    calls = []

    def noted(doc, body):
        calls.append(doc)
        return split(doc, body)

    store, report = grounded(program(), functions={"split": noted})
    assert words(store) == [(1, "a", 2), (1, "b", 2), (2, "c", 1)]
    assert sorted(calls) == [1, 2]
    assert report.rows["word"] == 5


def test_code_that_a_program_names_is_run_only_if_trusted(tmp_path):
    (tmp_path / "words.py").write_text("def split(doc, body):\n    return [(doc, w) for w in body.split()]\n")
    with pytest.raises(TrustError, match=r"wants to run 'words:split'.*\nFix: "):
        grounded(program(), folder=tmp_path)
    store, _ = grounded(program(), folder=tmp_path, allow_code=True)
    assert words(store) == [(1, "a", 2), (1, "b", 2), (2, "c", 1)]


@pytest.mark.parametrize("style", ["tsj", "tsv"])
def test_a_script_reads_and_writes_lines(tmp_path, style):
    read = "json.loads" if style == "tsj" else "str"
    write = "json.dumps" if style == "tsj" else "str"
    name = script(
        tmp_path,
        f"import sys, json\nfor line in sys.stdin:\n    d, b = map({read}, line.rstrip('\\n').split('\\t'))\n"
        f"    for w in b.split():\n        print({write}(int(d)), {write}(w), sep='\\t')\n",
    )
    store, _ = grounded(program(style, name), folder=tmp_path, allow_code=True)
    assert words(store) == [(1, "a", 2), (1, "b", 2), (2, "c", 1)]


def test_a_row_that_fails_is_set_aside_with_a_message():
    def picky(doc, body):
        if doc == 2:
            raise KeyError("no such")
        return split(doc, body)

    store, report = grounded(program(), functions={"split": picky})
    assert words(store) == [(1, "a", 2), (1, "b", 2)]
    assert report.failed_rows == {"split": 1}
    assert "split(2, 'c'): KeyError: 'no such'" in report.messages[0]


@pytest.mark.parametrize("bad", [("x", "w"), (1,), (1, 2.5), 7, {"doc": 1, "wrod": "w"}, (2**63, "w")])
def test_rows_of_other_types_fail(bad):
    with pytest.raises(FunctionError, match=r"split failed on all 2 rows"):
        grounded(program(), functions={"split": lambda d, b: [bad]})


def test_a_script_that_fails_says_how(tmp_path):
    name = script(tmp_path, "import sys\nsys.exit('the model is not there')\n")
    with pytest.raises(FunctionError, match=r"(?s)ended with status 1.*the model is not there\nFix: "):
        grounded(program("tsj", name), folder=tmp_path, allow_code=True)


def test_a_script_that_is_not_there(tmp_path):
    with pytest.raises(FunctionError, match=r"cannot be started: nowhere.py"):
        grounded(program("tsj", "nowhere.py --x"), folder=tmp_path, allow_code=True)


def test_lines_that_cannot_be_read_are_set_aside(tmp_path):
    name = script(tmp_path, 'import sys\nsys.stdin.read()\nprint(\'1\\t"a"\')\nprint("oops")\n')
    store, report = grounded(program("tsj", name), folder=tmp_path, allow_code=True)
    assert report.failed_rows["split"] == 2  # once for inputs derived once, once for those derived twice
    assert words(store) == [(1, "a", 3)]
    name = script(tmp_path, 'import sys\nsys.stdin.read()\nprint("oops")\n', "g.py")
    with pytest.raises(FunctionError, match="line 1 of its output"):
        grounded(program("tsj", name), folder=tmp_path, allow_code=True)


def test_much_text_both_ways_does_not_lock_up(tmp_path):
    name = script(
        tmp_path, "import sys\nfor line in sys.stdin:\n    sys.stderr.write('.' * 999)\n    print(line * 3)\n"
    )
    lines = ("x" * 1000 for _ in range(2000))
    assert sum(len(line) > 0 for line in run_script(name, lines, tmp_path, "f")) == 6000


def test_a_reader_that_stops_early_ends_the_script(tmp_path):
    name = script(tmp_path, "import sys, itertools\nfor i in itertools.count():\n    print(i)\n")
    found = run_script(name, iter(["1"]), tmp_path, "f")
    assert next(found) == "0"
    found.close()


def test_a_word_of_the_command_is_never_run_by_a_shell(tmp_path):
    name = script(
        tmp_path, "import sys, json\nsys.stdin.read()\nprint(json.dumps(1), json.dumps(sys.argv[1]), sep='\\t')\n"
    )
    store, _ = grounded(program("tsj", f"{name} '$(touch x); y'"), folder=tmp_path, allow_code=True)
    assert {w for _, w, _ in words(store)} == {"$(touch x); y"}


def test_columns_go_by_position_and_must_be_as_many():
    other = (t.Column("d", "int"), t.Column("w", "text"))
    store, _ = grounded(program(outputs=other), functions={"split": split})
    assert len(words(store)) == 3
    with pytest.raises(ProgramError, match="gives 1 columns, but word has 2"):
        grounded(program(outputs=other[:1]), functions={"split": split})


def test_lines_round_trip():
    row = ["a\tb\\n\n", 1, None, ["x, y", None, 'q"']]
    assert from_tsj(to_tsj(row)) == row
    text = from_tsv(to_tsv(row))
    assert text[:3] == ["a\tb\\n\n", "1", None] and array(text[3]) == ["x, y", None, 'q"']
    with pytest.raises(ValueError):
        array("{a")


def test_code_that_changes_has_another_fingerprint(tmp_path):
    function = program().functions["split"]
    (tmp_path / "words.py").write_text("a = 1")
    first = function_fingerprint(function, None, tmp_path)
    assert function_fingerprint(function, None, tmp_path) == first
    (tmp_path / "words.py").write_text("a = 2")
    assert function_fingerprint(function, None, tmp_path) != first


def test_folders_with_modules_of_one_name_each_get_their_own(tmp_path):
    for name, ending in (("one", "!"), ("two", "?")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "words.py").write_text(
            "from ends import END\n\ndef split(doc, body):\n    return [(doc, END)]\n"
        )
        (tmp_path / name / "ends.py").write_text(f"END = {ending!r}\n")
    for name, ending in (("one", "!"), ("two", "?"), ("one", "!")):
        store, _ = grounded(program(), folder=tmp_path / name, allow_code=True)
        assert {row[1] for row in words(store)} == {ending}
