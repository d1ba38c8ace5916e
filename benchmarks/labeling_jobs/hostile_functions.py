"""Python functions that break on a row, each beside a good function on 20,000 rows, with a deadline of 2 s a row.

A line is refused unless the good function's votes are all there, the bad row is named, and the bad function's other
votes are there too.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

import consilience as cs
from jobs import LABELS, SEED, Found, Job
from labeling_jobs.applying import once
from process_tree import watched

from functions.plain import short_texts

ROWS, BAD, DEADLINE_S = 20_000, 12_345, 2.0


def jobs() -> list[Job]:
    attacks: dict[str, tuple[Callable[[], Any], int]] = {
        "loops for ever": (loop, 0),
        "a pattern of `re` that never ends": (backtrack, 0),
        "sleeps in compiled code, deaf to signals": (deaf, 1),
        "crashes the interpreter": (crash, 1),
        "leaves with os._exit": (leave, 1),
        "calls sys.exit": (sys.exit, 0),
        "recurses without end": (recurse, 0),
        "holds the interpreter's lock in a thread": (threaded, 1),
        "raises what no `except Exception` catches": (strange, 0),
    }
    return [
        Job(f"a function {what}", "20k rows", partial(attacked, attack, workers))
        for what, (attack, workers) in attacks.items()
    ]


def attacked(attack: Callable[[], Any], workers: int, folder: Path) -> Found:
    @cs.labeling_function("spam")
    def bad(row: Any) -> bool:
        if row.id == BAD:
            attack()
        return row.id % 3 == 0

    @cs.labeling_function("ham")
    def good(row: Any) -> bool:
        return row.id % 2 == 0

    table = cs.Table(pl.DataFrame({"id": range(ROWS), "text": short_texts(ROWS, SEED)}), labels=LABELS)
    with watched() as cost:
        matrix = cs.apply([bad, good], table, workers=workers, deadline_s=DEADLINE_S)
    failure = matrix.functions[0].failure
    said = [row for row, vote in enumerate(matrix.names_of("bad")) if vote]
    assert said == [row for row in range(0, ROWS, 3) if row != BAD]
    assert matrix.names_of("good") == ["ham", None] * (ROWS // 2)
    assert failure is not None
    assert (failure.count, failure.first_id) == (1, str(BAD))
    reason = failure.first_error.splitlines()[-1]
    where = "in a worker" if workers else "in this process"
    return {**once(cost), "result": f"{where}: row {failure.first_id} set aside: {reason[:80]}; no other vote lost"}


def loop() -> None:
    while True:
        pass


def backtrack() -> None:
    re.match(r"^(\w+\s?)*$", "a" * 60 + "!")


def deaf() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(3600)


def crash() -> None:
    ctypes.string_at(0)


def leave() -> None:
    os._exit(7)


def recurse() -> None:
    recurse()


def threaded() -> None:
    thread = threading.Thread(target=backtrack, daemon=True)  # `re` keeps the lock while it searches
    thread.start()
    thread.join()


class Odd(BaseException):
    """Not an Exception."""


def strange() -> None:
    raise Odd("what now?")
