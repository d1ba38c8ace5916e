"""Python functions in worker processes: the votes of one process, and rows that break processes are named."""

from __future__ import annotations

import ctypes
import os
import re
import time

import numpy as np
import polars as pl
import pytest

import consilience as cs
from consilience.errors import FunctionError
from consilience.labeling import running as module
from consilience.labeling.running import STOPS, Running

N = 400
TABLE = cs.Table(pl.DataFrame({"id": range(N), "text": [f"row {i}" for i in range(N)]}), labels=["no", "yes"])
WORDS = {"row 7", "row 8"}


def modulo(j):
    @cs.labeling_function("yes", "no", name=f"by{j}")
    def f(row):
        if row.id % 50 == j:
            raise ValueError(row.text)
        return None if row.text in WORDS else ("yes" if row.id % j else "no")

    return f


def on(bad, what, name="f"):
    """A function that does `what` on some rows, and votes on the even ones."""

    @cs.labeling_function("yes", name=name)
    def f(row):
        if row.id in bad:
            what()
        return row.id % 2 == 0

    return f


def crash():
    ctypes.string_at(0)


def leave():
    os._exit(3)


def hang():
    while True:
        pass


def hang_for_good():
    """No alarm reaches this."""
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(60)


def applied(functions, workers, **options):
    return cs.apply(functions, TABLE, cache={}, workers=workers, batch_size=64, **options)


def facts(matrix):
    failures = [f.failure and (f.failure.count, f.failure.first_id, f.failure.stops) for f in matrix.functions]
    return matrix.votes.tolist(), failures


def test_votes_and_failures_are_the_same_for_any_number_of_workers():
    functions = [modulo(3), cs.keywords("no", ["7"], name="seven"), modulo(4)]
    alone = facts(applied(functions, 0))
    assert alone == facts(applied(functions, 1)) == facts(applied(functions, 3)) == facts(applied(functions, None))
    assert alone[1][0] == (8, "3", 0)


@pytest.mark.parametrize("what", [crash, leave])
def test_a_row_that_ends_its_process_is_named_and_the_others_vote(what):
    matrix = applied([on({20, 201}, what), modulo(3)], 2)
    said = [i for i, vote in enumerate(matrix.names_of("f")) if vote]
    assert said == [i for i in range(0, N, 2) if i != 20]
    failure = matrix.functions[0].failure
    assert (failure.count, failure.first_id, failure.stops, failure.given_up) == (2, "20", 2, False)
    assert "SIGSEGV" in failure.first_error or "exit code 3" in failure.first_error
    assert facts(matrix.only("by3")) == facts(applied([modulo(3)], 0))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_row_that_hangs_is_stopped_and_named(workers):
    matrix = applied(
        [on({100}, hang), on({5}, lambda: re.match(r"^(\w+\s?)*$", "a" * 60 + "!"), "g")], workers, deadline_s=0.5
    )
    for info, row in zip(matrix.functions, ("100", "5"), strict=True):
        assert (info.failure.count, info.failure.first_id) == (1, row)
        assert info.failure.first_error == "it took longer than 0.5 s"
    assert matrix.names_of("f")[100] is None and matrix.names_of("f")[102] == "yes"


def test_a_row_that_no_alarm_reaches_costs_its_worker_only(monkeypatch):
    monkeypatch.setattr(module, "HANG_S", 0.5)
    matrix = applied([on({70}, hang_for_good)], 1, deadline_s=0.5)
    assert matrix.functions[0].failure.first_id == "70" and matrix.functions[0].failure.count == 1


def test_a_function_that_breaks_again_and_again_is_given_up_from_the_same_row_on():
    bad = {10, 90, 150, 300}
    found = [facts(applied([on(bad, crash), modulo(3)], workers)) for workers in (1, 2)]
    assert found[0] == found[1]
    votes = np.array(found[0][0])[:, 0]
    assert [i for i in range(N) if votes[i] >= 0] == [
        i for i in range(0, 192, 2) if i not in bad
    ]  # to the end of its batch
    assert found[0][1][0] == (3 + N - 192, "10", STOPS)


def test_a_function_given_up_is_tried_again_next_time():
    cache = {}
    matrix = cs.apply([on(range(N), crash)], TABLE, cache=cache, workers=1, batch_size=64)
    assert matrix.functions[0].failure.given_up and matrix.functions[0].failure.count == N
    assert not cache
    assert matrix.functions[0].failure.stops == STOPS


def test_functions_of_this_module_and_of_none_are_sent():
    module_level = cs.labeling_function("yes", name="m")(ends_with_one)
    assert facts(applied([module_level], 2)) == facts(applied([module_level], 0))


def ends_with_one(row):
    return row.text.endswith("1")


def test_processes_start_by_themselves_when_that_pays_even_within_a_batch(monkeypatch):
    monkeypatch.setattr(module, "TRY_S", 0.05)
    monkeypatch.setattr(module, "WORTH_S", 0.1)
    monkeypatch.setattr(module, "cores", lambda: 2)
    labels, here, ticks, seen = cs.Labels("no", "yes"), os.getpid(), [], []

    @cs.labeling_function("yes", "no")
    def elsewhere(row):
        seen.append(row.id)
        time.sleep(0.001)
        return "yes" if os.getpid() != here else "no"

    @cs.labeling_function("yes")
    def quick(row):
        return True

    functions = [quick, elsewhere]
    with Running(functions, labels) as running:
        columns = running.columns(TABLE, functions, ticks.append)
    assert 0 < len(seen) < N  # a batch is 10,000 rows: it was broken off
    assert all((column.codes == 1).all() for column in columns)
    assert sum(ticks) == 2 * N


@pytest.mark.parametrize(("options", "why"), [({"workers": -1}, "-1 workers"), ({"deadline_s": 0}, "deadline of 0")])
def test_impossible_settings_are_refused(options, why):
    with pytest.raises(FunctionError, match=f"{why}(.|\n)*Fix"):
        cs.apply([modulo(3)], TABLE, cache={}, **options)


def test_what_a_function_prints_does_not_reach_our_output(capfd):
    applied([on({1}, lambda: print("said in a worker"))], 1)
    out, err = capfd.readouterr()
    assert "said" not in out and "said in a worker" in err


# preprocessors, and functions of batches


@cs.preprocessor()
def number(row):
    if row.id == 30:
        hang()
    return row.id


@pytest.mark.parametrize("workers", [0, 1])
def test_a_preprocessor_that_hangs_on_a_row_costs_that_row(workers):
    @cs.labeling_function("yes", uses=[number])
    def even(row):
        return row.number % 2 == 0

    matrix = applied([even], workers, deadline_s=0.5)
    assert [i for i, vote in enumerate(matrix.names_of("even")) if vote] == [i for i in range(0, N, 2) if i != 30]
    assert (matrix.functions[0].failure.count, matrix.functions[0].failure.first_id) == (1, "30")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_call_on_many_rows_that_hangs_is_given_up(workers):
    @cs.preprocessor(of="texts")
    def never(texts):
        return hang()

    @cs.labeling_function("yes", batch=True)
    def neither(frame):
        return hang()

    @cs.labeling_function("yes", uses=[never])
    def nor(row):
        return True

    matrix = applied([neither, nor, on({5}, lambda: None)], workers, deadline_s=0.5)
    assert [info.failure and info.failure.count for info in matrix.functions] == [N, N, None]
    assert all(info.failure.given_up for info in matrix.functions[:2])
    assert "took longer than 0.5 s for every 256 rows" in matrix.functions[1].failure.first_error


def test_a_call_on_many_rows_may_take_longer_than_one_row_may():
    @cs.labeling_function("yes", batch=True)
    def slow(frame):
        time.sleep(1.2)
        return [True] * len(frame)

    table = cs.Table(pl.DataFrame({"id": range(1000), "text": ["x"] * 1000}), labels=["no", "yes"])
    matrix = cs.apply([slow], table, cache={}, workers=0, deadline_s=0.5)
    assert matrix.functions[0].failure is None


def send_nothing():
    import multiprocessing.connection as connection

    connection.Connection._send_bytes = lambda *_: os._exit(3)


def test_a_worker_that_is_lost_after_its_last_row_is_not_tried_for_ever():
    small = TABLE.take(range(6))
    matrix = cs.apply([on({0}, send_nothing), modulo(3)], small, workers=1, batch_size=6, cache={})
    failure = matrix.functions[0].failure
    assert (failure.count, failure.first_error) == (6, "its process ended with exit code 3")
    assert matrix.names_of("by3") == cs.apply([modulo(3)], small, workers=0, cache={}).names_of("by3")


def test_rows_with_objects_of_python_stay_in_this_process():
    frame = pl.DataFrame({"id": range(4), "text": ["a"] * 4, "thing": pl.Series([object()] * 4, dtype=pl.Object)})

    @cs.labeling_function("yes")
    def here(row):
        return row.id > 1 and type(row.thing) is object

    assert (
        cs.apply([here], cs.Table(frame, labels=["no", "yes"]), workers=2).names_of("here")
        == [None, None] + ["yes"] * 2
    )


def test_a_model_that_hangs_is_given_up():
    stuck = cs.model(lambda texts: hang(), labels=["no", "yes"], name="stuck")
    matrix = cs.apply([stuck, cs.keywords("no", ["7"], name="seven")], TABLE, cache={}, deadline_s=0.5)
    assert matrix.functions[0].failure.given_up and matrix.functions[0].failure.count == N
    assert matrix.functions[1].failure is None and matrix.names_of("seven")[7] == "no"
