"""Progress: one hook hears of all long work; without one, nothing is drawn."""

from __future__ import annotations

import io
import sys
from itertools import pairwise

import pytest
from rich.console import Console

from consilience import apply, labeling_function, read
from consilience.progress import Step, bar_hook, reporting, track, working


def test_a_hook_hears_the_beginning_and_the_end(capsys):
    seen = []
    with reporting(seen.append):
        assert list(track(iter("abc"), "spelling", total=3)) == ["a", "b", "c"]
    assert seen[0] == Step("spelling", 0, 3, 0.0)
    assert (seen[-1].done, seen[-1].finished) == (3, True)
    assert list(track("abc", "unheard")) == ["a", "b", "c"] and len(seen) == 2
    assert capsys.readouterr() == ("", "")


def test_reports_come_no_faster_than_they_can_be_read(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr("consilience.progress.time.perf_counter", lambda: next(now) * 0.04)
    seen = []
    with reporting(seen.append), working("stepping", 30) as tick:
        for _ in range(30):
            tick()
    assert 5 < len(seen) < 15 and all(a.done <= b.done for a, b in pairwise(seen))


def test_work_that_fails_is_finished_too():
    seen = []
    with pytest.raises(ZeroDivisionError), reporting(seen.append), working("failing"):
        _ = 1 / 0
    assert seen[-1].finished


def test_applying_functions_reports_itself():
    seen = []
    f = labeling_function("a", name="f")(lambda row: True)
    with reporting(seen.append):
        apply([f], read([{"text": "x"}]))
    assert seen[0].what == "applying 1 functions" and seen[-1].finished


def test_a_bar_is_drawn_only_for_work_that_lasts():
    out = io.StringIO()
    draw = bar_hook(after_s=2.0, console=Console(file=out, force_terminal=True, width=80))
    draw(Step("short", 0, 10, 0.0))
    draw(Step("short", 10, 10, 1.0, finished=True))
    assert out.getvalue() == ""
    draw(Step("long", 5, 10, 3.0))
    draw(Step("longer", 6, 10, 3.5))
    draw(Step("longer", 10, 10, 4.0, finished=True))
    assert "long" in out.getvalue()


def test_an_interactive_session_gets_a_bar_by_itself(monkeypatch):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    with working("quick", 1) as tick:
        tick()
