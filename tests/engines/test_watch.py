"""Watching functions from inside: a row that hangs is stopped at its place, slow rows pass."""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from consilience.engines.watch import Alarm, Stopped, Watch, watch, watching


def forever():
    while True:
        pass


def test_without_a_watch_nothing_is_watched():
    assert type(watch()) is Watch
    watch().at([])
    watch().rest()


def test_a_row_that_takes_too_long_is_stopped():
    answers = [1, 2]
    with watching(Alarm(0.05)):
        watch().at(answers)
        with pytest.raises(Stopped, match=r"it took longer than 0.05 s"):
            forever()


def test_a_pattern_that_never_ends_is_stopped():
    with watching(Alarm(0.05)):
        watch().at([])
        with pytest.raises(Stopped):
            re.match(r"^(\w+\s?)*$", "a" * 60 + "!")


def test_slow_rows_that_pass_are_not_stopped_though_together_they_take_longer():
    answers = []
    with watching(Alarm(0.5)):
        watch().at(answers)
        for row in range(6):
            time.sleep(0.12)
            answers.append(row)
        watch().rest()
    assert len(answers) == 6


def test_rows_are_marked_and_bad_ones_refused():
    marks = []
    with watching(Alarm(5, marks.append, {2: "it ended its process"})):
        watch().at([1])
        with pytest.raises(Stopped, match="ended its process"):
            watch().at([1, 2])
        assert watch().every == 1
    assert marks == [1, 2]


def test_the_alarm_clock_is_given_back_as_it_was():
    before = signal.getsignal(signal.SIGALRM)
    with watching(Alarm(5)):
        watch().at([])
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getsignal(signal.SIGALRM) == before and signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_threads_have_no_alarm_clock_and_are_not_watched():
    seen = []

    def work():
        with watching(Alarm(5)):
            seen.append(type(watch()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [Watch]


def test_a_clock_set_before_rings_afterwards():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with watching(Alarm(5)):
            watch().at([])
            time.sleep(0.1)
            assert not rang
        time.sleep(0.05)
        assert rang == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_ring_meant_for_the_row_before_stops_nothing():
    alarm = Alarm(5)
    with watching(alarm):
        watch().at([1, 2])
        alarm.ring(signal.SIGALRM, None)
        watch().rest()
