"""A knowledge base's folder and file when they are not what they should be: it is said, and nothing is harmed."""

from __future__ import annotations

import duckdb
import pytest

from consilience import KnowledgeBase
from consilience.errors import DataError, StoreError
from consilience.kb.folder import KnowledgeBaseFolder, init_folder


def test_someone_elses_database_is_left_alone(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE r (x INTEGER)")
    with pytest.raises(StoreError, match=r"holds tables and is no knowledge base.\nFix: "):
        KnowledgeBase("r(x int).", path)
    with duckdb.connect(str(path)) as other:
        assert other.execute("SELECT DISTINCT table_schema, table_name FROM information_schema.tables").fetchall() == [
            ("main", "r")
        ]


@pytest.mark.parametrize("content", [b"garbage", b"x" * 20000])
def test_a_broken_file_says_what_to_do(tmp_path, content):
    path = tmp_path / "kb.duckdb"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"cannot be opened.*\nFix: .*delete it and run again"):
        KnowledgeBase("r(x int).", path)


def test_an_empty_program_is_no_program(tmp_path):
    init_folder(tmp_path)
    (tmp_path / "app.ddlog").write_text("\ufeff \n", "utf-8")
    with pytest.raises(DataError, match=r"app.ddlog is empty.\nFix: "):
        KnowledgeBaseFolder(tmp_path).program()
    with pytest.raises(DataError, match="is empty"), KnowledgeBaseFolder(tmp_path).open(write=True):
        pass


@pytest.mark.parametrize(
    "text", ["1,a\n", "id,nom\n1,a\n", "id,name\nx,a\n", 'id,name\n1,"a\n', "id,name\n1,a,3\n", ""]
)
def test_a_file_that_does_not_fit_is_named_and_what_stands_stays(tmp_path, text):
    init_folder(tmp_path)
    folder = KnowledgeBaseFolder(tmp_path)
    with folder.open(write=True) as kb:
        folder.ground(kb)
    (tmp_path / "data/person.csv").write_text(text)
    with folder.open(write=True) as kb:
        with pytest.raises(DataError, match=r"person.csv.*\nFix: ") as error:
            folder.ground(kb)
        assert len(str(error.value).splitlines()) == 2
        assert len(kb.query("p ?- person(p, _).")) == 96


def test_a_changed_declaration_takes_the_file_in_again(tmp_path):
    init_folder(tmp_path)
    folder, program = KnowledgeBaseFolder(tmp_path), tmp_path / "app.ddlog"
    with folder.open(write=True) as kb:
        folder.ground(kb)
    program.write_text(program.read_text().replace("person(id int, name text)", "person(id int, name varchar[])"))
    (tmp_path / "data/person.csv").write_text('id,name\n1,"{a,b}"\n')
    with folder.open(write=True) as kb:
        folder.ground(kb)
        assert kb.query("p, n ?- person(p, n).").rows() == [(1, ["a", "b"])]


def test_what_is_opened_to_be_read_is_only_read(tmp_path):
    path = tmp_path / "kb.duckdb"
    with KnowledgeBase('v?(x int). @weight("?") v(x) :- TRUE.', path) as kb:
        kb.load("v", {"x": [1]})
        kb.run()
    with KnowledgeBase(path=path, read_only=True) as kb:
        for change in (kb.run, kb.ground, kb.learn, kb.infer, kb.update, lambda: kb.load("v", {"x": [2]})):
            with pytest.raises(StoreError, match=r"opened to be read.\nFix: "):
                change()
        assert len(kb.facts("v")) == 1 and "inf_istrue_v" in str(kb.explain("v", 1))


def test_rows_a_function_fails_on_are_said():
    program = "R(x int). Q(x int). function f over (x int) returns rows like Q implementation 'm:f'. Q += f(x) :- R(x)."

    def shy(x: int) -> list[tuple[int]]:
        if x == 2:
            raise ValueError("not two")
        return [(x,)]

    with KnowledgeBase(program.replace("'", '"'), functions={"f": shy}) as kb:
        kb.load("R", {"x": [1, 2]})
        notes = kb.run().notes
        assert notes[0] == "f failed on 1 rows" and "not two" in notes[1]
