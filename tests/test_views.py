"""Tables of figures: readable in a terminal, self-contained and escaped in a notebook, plain in JSON."""

from __future__ import annotations

import html
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience.metrics import Interval
from consilience.views import Marked, View, plain, show, visible, vote_mark

CELL = st.none() | st.booleans() | st.integers(-5, 5000) | st.floats() | st.text(max_size=8)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@given(st.text(max_size=8), st.lists(CELL, min_size=1, max_size=4), st.text(max_size=8))
def test_no_name_cell_title_or_note_becomes_markup(name, cells, note):
    page = Tags()
    page.feed(View([name], [[cell] for cell in cells], title=note, notes=[note], bars=frozenset({name})).html())
    assert set(page.tags) <= {"div", "style", "b", "table", "tr", "th", "td", "span"}
    assert page.tags.count("td") == len(cells) and page.tags.count("th") == 1


@given(st.lists(CELL, min_size=1, max_size=4))
def test_records_are_json(cells):
    names = [f"c{place}" for place in range(len(cells))]
    (record,) = View(names, [cells]).records()
    assert json.loads(json.dumps(record)).keys() == set(names)


@given(st.text())
def test_no_control_character_reaches_a_terminal(text):
    assert not [c for c in visible(text) if (ord(c) < 32 and c not in "\n\t") or ord(c) == 127]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [(None, "–"), (float("nan"), "–"), (1234567, "1,234,567"), (0.12345, "0.123"), (12345.6, "12,346"), (True, "True")],
)
def test_cells_are_shown_as_people_read_them(cell, shown):
    assert show(cell) == shown


def test_what_json_gets():
    assert plain(float("nan")) is None and plain(1 / 3) == 0.333333 and plain(Marked("a", "<b>")) == "a"
    assert plain(Interval(0.5, float("nan"), 1.0)) == [0.5, None, 1.0]


def test_a_table_in_a_terminal_has_its_columns_rows_and_notes():
    shown = str(View(["name", "n"], [["a", 1], ["bb", 20]], title="Title", notes=["a note \x1b[31m"]))
    lines = [line.split() for line in shown.splitlines() if line.strip()]
    assert lines[0] == ["Title"] and ["name", "n"] in lines and ["bb", "20"] in lines
    assert "a note ␛[31m" in shown


def test_marked_cells_keep_their_markup_in_html_and_their_text_elsewhere():
    view = View(["votes"], [[Marked("f=spam", vote_mark("f<", "spam", 9))]])
    assert "f&lt;: spam" in view.html() and "f=spam" in str(view)


def test_the_page_asks_nothing_of_the_network():
    page = View(["a"], [[0.5]], bars=frozenset({"a"})).html()
    assert not [word for word in ("http", "<script", "@import", "url(", "src=", "href=") if word in page]
    assert html.escape("<") not in page


def test_names_and_titles_cannot_steer_a_terminal_either():
    assert "\x1b" not in str(View(["a\x1b[31m"], [["x"]], title="t\x1b[31m"))
