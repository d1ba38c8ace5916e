"""A few worker processes that do tasks in order and may be lost: one that dies or hangs is replaced, and it is known
on what.

The floor: it knows programs, tasks and marks, nothing of labeling. A program is a function of the caller's that is
sent to each worker once; a task and its results are bytes. POSIX only.
"""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from consilience.engines.shipping import shipped
from consilience.errors import EngineError

START_S = 60.0  # a worker may take so long to load what it is to do
SLOT = 3  # numbers a worker may write to be seen: how often it has written, and two of its choice
Program = Callable[[bytes, "Marks"], Iterator[bytes]]


class Marks:
    """Three numbers in memory that a worker shares with its parent: a step in microseconds, seen even after a crash."""

    def __init__(self, path: Path, place: int) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._numbers = memoryview(self._map).cast("q")[place * SLOT : (place + 1) * SLOT]

    def set(self, first: int, second: int) -> None:
        """Say where the work is."""
        numbers = self._numbers
        numbers[1], numbers[2] = first, second
        numbers[0] += 1

    def get(self) -> tuple[int, int, int]:
        """How often it was said, and what was said last."""
        return self._numbers[0], self._numbers[1], self._numbers[2]


@dataclass(frozen=True)
class Lost:
    """A worker that was lost while it did a task: why, and what it had marked last."""

    task: bytes
    why: str
    first: int
    second: int


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection
    marks: Marks
    task: bytes | None = None
    seen: int = -1
    since: float = 0.0
    began: bool = False  # whether it has said anything yet


class Processes:
    """Workers that run a program on tasks.

    program: called in the workers as program(task, marks), it yields results; it must mark its progress.
    n: how many workers; they start when first needed.
    hang_s: a worker that has marked nothing for so long is taken for hung, and killed.
    """

    def __init__(self, program: Program, n: int, *, hang_s: float) -> None:
        if sys.platform == "win32":
            raise EngineError("Worker processes need a POSIX system.\nFix: use workers=0.")
        self.n = n
        self.hang_s = hang_s
        self._program = shipped(program, "The functions")
        self._path = os.pathsep.join(part or os.getcwd() for part in sys.path)
        self._folder = tempfile.TemporaryDirectory(prefix="consilience-")
        self.folder = Path(self._folder.name)  # for what is handed to workers as files
        self._marks = self.folder / "marks"
        self._marks.write_bytes(bytes(8 * SLOT * n))
        self._workers: list[_Worker | None] = [None] * n

    def run(self, tasks: Iterable[bytes], lost: Callable[[Lost], list[bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Do the tasks, begun in order; yields (task, result) as results come.

        lost: told of each worker lost; the tasks it gives are done next, in place of the one that was lost.
        """
        waiting = iter(tasks)
        first: deque[bytes] = deque()
        while True:
            for place in range(self.n):
                worker = self._workers[place]
                if worker is not None and worker.task is not None:
                    continue
                task = first.popleft() if first else next(waiting, None)
                if task is None:
                    break
                self._give(place, task)
            busy = [worker for worker in self._workers if worker is not None and worker.task is not None]
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy], timeout=min(0.5, self.hang_s / 4))
            for worker in busy:
                if worker.pipe in ready:
                    yield from self._receive(worker, first, lost)
                elif self._hangs(worker):
                    worker.process.kill()
                    self._lose(worker, f"it did not answer for {self.hang_s:g} s", first, lost)

    def _receive(
        self, worker: _Worker, first: deque[bytes], lost: Callable[[Lost], list[bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        assert worker.task is not None
        try:
            message = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            self._lose(worker, _ended(worker.process.wait()), first, lost)
            return
        worker.since, worker.began = time.monotonic(), True
        if message[:1] == b"e":
            raise EngineError(f"A worker process failed: {message[1:].decode()}\nFix: use workers=0 to see where.")
        task = worker.task
        if message[:1] == b"d":
            worker.task = None
        else:
            yield task, message[1:]

    def _hangs(self, worker: _Worker) -> bool:
        seen, now = worker.marks.get()[0], time.monotonic()
        if seen != worker.seen:
            worker.began, worker.seen, worker.since = True, seen, now
        return now - worker.since > (self.hang_s if worker.began else max(self.hang_s, START_S))

    def _lose(self, worker: _Worker, why: str, first: deque[bytes], lost: Callable[[Lost], list[bytes]]) -> None:
        task, (_, one, two) = worker.task, worker.marks.get()
        assert task is not None
        self._workers[self._workers.index(worker)] = None
        worker.pipe.close()
        worker.process.wait()
        first.extendleft(reversed(lost(Lost(task, why, one, two))))

    def _give(self, place: int, task: bytes) -> None:
        worker = self._workers[place] or self._start(place)
        worker.task, worker.since = task, time.monotonic()
        with suppress(OSError):  # it died before: its pipe will say so
            worker.pipe.send_bytes(task)

    def _start(self, place: int) -> _Worker:
        mine, its = Pipe()
        told = [its.fileno(), self._marks, place, os.getpid()]
        command = [sys.executable, "-m", "consilience.engines.worker", *map(str, told)]
        one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
        process = subprocess.Popen(
            command,
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what a function prints must not mix with what we print
            env={**os.environ, **one_thread, "PYTHONPATH": self._path},
        )
        its.close()
        marks = Marks(self._marks, place)
        marks.set(-1, -1)
        worker = _Worker(process, mine, marks, seen=marks.get()[0])
        self._workers[place] = worker
        mine.send_bytes(self._program)
        return worker

    def close(self) -> None:
        """End all workers, and delete what was handed to them."""
        for worker in filter(None, self._workers):
            worker.process.kill()
            worker.process.wait()
            worker.pipe.close()
        self._workers = [None] * self.n
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ended(code: int) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"
