"""Python functions over the rows of a table, batch by batch: in this process, or in workers when that pays.

The votes are the same either way. A row that takes too long, or ends its process, is named and abstained on; a function
that does so again and again is given up, from the same row on however many workers there are.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Table
from consilience.engines.processes import Lost, Marks, Processes
from consilience.engines.watch import STOPS, Alarm, Moved, watching
from consilience.errors import EngineError, FunctionError
from consilience.labeling.casting import Column, cast_one, function_key, joined, label_space
from consilience.labeling.function import Batch, Codes, Failure, LabelingFunction

BATCH_ROWS = 10_000
TRY_S, WORTH_S = 0.15, 1.0  # workers start when so much work was measured here, and so much is left
HANG_S = 5.0
Tick = Callable[[int], None]


class Running:
    """Runs the Python functions of one application, over one table after another.

    functions: all that are applied. labels: those they are applied with. workers: how many processes; 0: this one;
    None: this one, until it is seen that processes on all cores would pay. deadline_s: seconds that a row may take.
    n_rows: how many rows there will be in all, if that is known.
    """

    def __init__(
        self,
        functions: Sequence[LabelingFunction],
        labels: Labels,
        *,
        workers: int | None = None,
        deadline_s: float = 60.0,
        batch_rows: int = BATCH_ROWS,
        n_rows: int | None = None,
    ) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 0):
            raise FunctionError(f"{workers!r} workers cannot be.\nFix: give a number, 0 for this process, or None.")
        if not deadline_s > 0 or batch_rows < 1:
            raise FunctionError(
                f"A deadline of {deadline_s} s and batches of {batch_rows} rows cannot be.\nFix: give numbers above 0."
            )
        self.functions = list(functions)
        self.names = [function.name or "" for function in functions]
        self.labels = labels
        self.space = label_space(functions, labels)
        self.keys = [function_key(function, labels) for function in functions]
        self.workers = workers
        self.deadline_s = deadline_s
        self.batch_rows = batch_rows
        self.n_rows = n_rows
        self._stops = [0] * len(self.functions)  # rows stopped in earlier tables
        self._may_move = workers is None and sys.platform != "win32" and cores() > 1
        self._seconds, self._rows = [0.0] * len(self.functions), [0] * len(self.functions)  # in this process
        self._rows_done, self._stays = 0, True
        self._processes: Processes | None = None
        self._n_sent = 0  # tables whose rows were written for workers
        self._stack = ExitStack()

    def columns(self, table: Table, functions: Sequence[LabelingFunction], tick: Tick) -> list[Column]:
        """What some of the functions say of a table. tick: told how many votes were cast, whenever some were."""
        places = [next(j for j, mine in enumerate(self.functions) if mine is asked) for asked in functions]
        starts = range(0, len(table), self.batch_rows)
        pieces = Pieces(len(starts), self._stops)
        has_objects = pl.Object in table.features.dtypes  # Python's own, which no file of rows can hold
        self._stays = not self._may_move or has_objects
        for batch, start in enumerate(starts):
            rows = Batch(table, start, start + self.batch_rows)
            elsewhere = self._elsewhere and not has_objects
            if elsewhere or not self._here(rows, batch, places, pieces, tick, len(table) - start):
                self._in_workers(table, places, range(batch, len(starts)), pieces, tick)
                break
        columns = [pieces.column(place, table, self.batch_rows, self.labels) for place in places]
        for place, column in zip(places, columns, strict=True):
            self._stops[place] += column.failure.stops if column.failure else 0
        return columns

    @property
    def _elsewhere(self) -> bool:
        """Whether worker processes were asked for, or have been started."""
        return bool(self.workers) or self._processes is not None

    def _here(
        self, batch: Batch, number: int, places: Sequence[int], pieces: Pieces, tick: Tick, rows_left: int
    ) -> bool:
        """Cast the votes on a batch in this process. False: it was broken off, since the rest is for workers."""
        _ = batch.rows  # made here, so that no single function is charged for them
        batch.functions = tuple(self.functions[place] for place in places)
        rows_left = max(rows_left, (self.n_rows or 0) - self._rows_done)
        told, began = 0, time.perf_counter()

        def mark(turn: int, row: int) -> None:
            nonlocal told
            votes = turn * len(batch) + max(row, 0)
            tick(votes - told)
            told = votes
            if row > 0 and self._moves(places[turn], row, time.perf_counter() - began, rows_left):
                tick(-told)
                raise Moved

        for turn, place in enumerate(places):
            if pieces.given_up(place, number):
                continue
            began = time.perf_counter()
            with watching(Alarm(self.deadline_s, partial(mark, turn))):
                try:
                    pieces.add(place, number, cast_one(self.functions[place], batch, self.labels))
                except Moved:
                    return False
            self._seconds[place] += time.perf_counter() - began
            self._rows[place] += len(batch)
        tick(len(places) * len(batch) - told)
        self._rows_done += len(batch)
        return True

    def _moves(self, place: int, row: int, seconds: float, rows_left: int) -> bool:
        """Whether workers would pay, after some seconds and rows of a function on a batch."""
        if self._stays or sum(self._seconds) + seconds < TRY_S:
            return False
        pace = {j: self._seconds[j] / self._rows[j] for j in range(len(self._rows)) if self._rows[j]}
        pace[place] = (self._seconds[place] + seconds) / (self._rows[place] + row)
        return sum(pace.values()) * rows_left > WORTH_S

    def _in_workers(
        self, table: Table, places: Sequence[int], batches: Sequence[int], pieces: Pieces, tick: Tick
    ) -> None:
        processes = self._started()
        path = processes.folder / f"rows {self._n_sent}.arrow"  # a function may still hold rows of the file before
        (processes.folder / f"rows {self._n_sent - 1}.arrow").unlink(missing_ok=True)
        self._n_sent += 1
        table.features.write_ipc(path, compression="uncompressed")
        roles = (str(path), table.id_column, table.text_column, table.gold_column)

        def tasks() -> Iterator[bytes]:
            for number in batches:
                start = number * self.batch_rows
                stop = min(start + self.batch_rows, len(table))
                asked = [place for place in places if not pieces.given_up(place, number)]
                tick((stop - start) * (len(places) - len(asked)))
                if asked:
                    yield Task(roles, number, start, stop, asked).packed()

        def lost(what: Lost) -> list[bytes]:
            task, place = Task.unpacked(what.task), what.first
            if place not in task.places:
                raise EngineError(f"A worker process failed to start: {what.why}.\nFix: use workers=0.")
            later = task.places[task.places.index(place) + 1 :]
            again = [] if not later else [Task(roles, task.batch, task.start, task.stop, later).packed()]
            if what.second < 0 or what.second in (task.bad_rows or {}):  # no row is to blame: the whole batch is lost
                ids = table.ids[task.start : task.stop]
                pieces.add(place, task.batch, failed(ids, what.why, self.labels))
                tick(len(ids))
                return again
            bad = {} if task.bad_rows is None else {**task.bad_rows, what.second: what.why}
            return [Task(roles, task.batch, task.start, task.stop, [place], bad).packed(), *again]

        for data, result in processes.run(tasks(), lost):
            task = Task.unpacked(data)
            place, column = unpacked_column(result)
            pieces.add(place, task.batch, column)
            tick(task.stop - task.start)

    def _started(self) -> Processes:
        if self._processes is None:
            program = Program(self.functions, self.labels, self.deadline_s)
            n = self.workers or cores()
            hang_s = 2 * self.deadline_s + HANG_S  # rows are stopped from inside within 2 deadlines, where possible
            made = Processes(program, n, hang_s=hang_s)
            self._processes = self._stack.enter_context(made)
        return self._processes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class Pieces:
    """Columns of batches, as they come in any order; and the rule by which a function is given up, by row order."""

    def __init__(self, n_batches: int, stops_before: Sequence[int]) -> None:
        self.n_batches = n_batches
        self.stops_before = stops_before
        self.found: dict[tuple[int, int], Column] = {}
        self.stops: dict[int, dict[int, int]] = {}  # by function, the batches with rows that had to be stopped

    def add(self, place: int, batch: int, column: Column) -> None:
        """What a function said of one batch."""
        self.found[place, batch] = column
        if column.failure and column.failure.stops:
            self.stops.setdefault(place, {})[batch] = column.failure.stops

    def given_up(self, place: int, batch: int) -> bool:
        """Whether rows before this batch had to be stopped too often."""
        here = sum(stops for number, stops in self.stops.get(place, {}).items() if number < batch)
        return self.stops_before[place] + here >= STOPS

    def column(self, place: int, table: Table, batch_rows: int, labels: Labels) -> Column:
        """One function's column of the whole table."""
        parts = []
        for batch in range(self.n_batches):
            if self.given_up(place, batch):
                ids = table.ids[batch * batch_rows : (batch + 1) * batch_rows]
                why = f"It was given up after {STOPS} rows that had to be stopped."
                parts.append(failed(ids, why, labels, stops=0))
            else:
                parts.append(self.found[place, batch])
        return joined(parts, labels)


@dataclass(frozen=True)
class Task:
    """Rows start to stop of a file of rows, for the functions at these places.

    roles: the file, and the columns of ids, text and gold. bad_rows: rows that must not be
    touched, and why; rows are then marked one by one, so that another bad one is found.
    """

    roles: tuple[str, str, str | None, str | None]
    batch: int
    start: int
    stop: int
    places: list[int]
    bad_rows: dict[int, str] | None = None

    def packed(self) -> bytes:
        """As bytes."""
        return json.dumps(vars(self)).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Task:
        """From bytes."""
        fields = json.loads(data)
        bad = fields.pop("bad_rows")
        return cls(**fields, bad_rows=None if bad is None else {int(row): why for row, why in bad.items()})


class Program:
    """What workers run: functions on batches of rows."""

    def __init__(self, functions: Sequence[LabelingFunction], labels: Labels, deadline_s: float) -> None:
        self.functions = list(functions)
        self.labels = labels
        self.deadline_s = deadline_s

    def __call__(self, data: bytes, marks: Marks) -> Iterator[bytes]:
        """Yields the packed column of each function, in order."""
        marks.set(-1, -1)
        task = Task.unpacked(data)
        batch = self._batch(task)
        for place in task.places:
            marks.set(place, -1)
            with watching(Alarm(self.deadline_s, partial(marks.set, place), task.bad_rows)):
                column = cast_one(self.functions[place], batch, self.labels)
            yield packed_column(place, column)

    def _batch(self, task: Task) -> Batch:
        path, id, text, gold = task.roles
        frame = pl.scan_ipc(path, glob=False).slice(task.start, task.stop - task.start).collect()
        functions = [self.functions[place] for place in task.places]
        batch = Batch(Table(frame, id=id, text=text), functions=functions)
        batch.gold_column = gold  # it is not among the rows; errors name it
        _ = batch.rows
        return batch


def packed_column(place: int, column: Column) -> bytes:
    """A column as bytes: a line of JSON, then the codes."""
    failure = None if column.failure is None else asdict(column.failure)
    head = {"place": place, "labels": list(column.labels), "failure": failure, "seconds": column.seconds}
    return json.dumps(head).encode() + b"\n" + column.codes.astype("<i2").tobytes()


def unpacked_column(data: bytes) -> tuple[int, Column]:
    """The place of a function, and its column."""
    line, _, codes = data.partition(b"\n")
    head = json.loads(line)
    failure = None if head["failure"] is None else Failure(**head["failure"])
    votes: Codes = np.frombuffer(codes, "<i2").astype(np.int16)
    return head["place"], Column(votes, tuple(head["labels"]), failure, head["seconds"])


def failed(ids: pl.Series, why: str, labels: Labels, *, stops: int = 1) -> Column:
    """The column of a function that could not say anything on some rows."""
    failure = Failure(len(ids), str(ids[0]), why, stops=stops, given_up=not stops)
    return Column(np.full(len(ids), ABSTAIN, np.int16), labels.votes, failure)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
