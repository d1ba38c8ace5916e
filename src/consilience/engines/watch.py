"""Watching a user's function from inside its process: how far it is, and a stop for a row that takes too long.

Code that calls a user's function row by row says `watch().at(answers)` now and then, and `rest()` when it is done.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

STOPS = 3  # rows that may have to be stopped before the rest is given up: each costs a deadline
BLOCK = 256  # rows between two marks: often enough to tell a hang, rare enough to cost nothing
MANY = 256  # rows that a call on many at once may spend one deadline on


class Stopped(BaseException):
    """A row that must not go on: it took too long, or ended its process before. No `except Exception` catches it."""


class Moved(BaseException):
    """Work that is to be broken off here, and done elsewhere."""


class Watch:
    """Watches nothing. every: how many rows may pass between two calls of `at`."""

    every: int = BLOCK

    def at(self, answers: Sized) -> None:
        """The next row is number len(answers). Raises Stopped if that row must not be touched."""

    def many(self, n: int) -> None:
        """A call on n rows at once begins. Stopped is raised inside it if it takes far too long."""

    def rest(self) -> None:
        """No row is being looked at."""


class Alarm(Watch):
    """Stops a row that takes longer than a deadline, by the process's alarm clock: it reaches Python code and `re`.

    deadline_s: seconds a row may take; one that hangs is stopped within twice that. mark: told how many rows are done,
    whenever some are; it may raise Moved. bad_rows: rows that must not be touched, and why; each row is then marked by
    itself.
    """

    def __init__(
        self,
        deadline_s: float,
        mark: Callable[[int], None] = lambda row: None,
        bad_rows: Mapping[int, str] | None = None,
    ) -> None:
        self.deadline_s = deadline_s
        self.mark = mark
        self.bad_rows = bad_rows or {}
        self.every = BLOCK if bad_rows is None else 1
        self._answers: Sized | None = None
        self._seen, self._since = 0, 0.0  # the row seen last, and when that was
        self._rings_left = 0  # of a call on many rows at once

    def at(self, answers: Sized) -> None:
        """Note the place, set the clock anew, and refuse a row known to be bad."""
        self._answers, self._seen, self._since = answers, len(answers), time.monotonic()
        self.mark(self._seen)
        if self._seen in self.bad_rows:
            raise Stopped(self.bad_rows[self._seen])
        signal.setitimer(signal.ITIMER_REAL, self.deadline_s)

    def many(self, n: int) -> None:
        """Allow one deadline for every 256 rows; in between, the clock shows that the process is not deaf."""
        self._answers, self._rings_left = None, -(-n // MANY)
        self.mark(-1)
        signal.setitimer(signal.ITIMER_REAL, self.deadline_s)

    def rest(self) -> None:
        """Stop the clock."""
        self._answers, self._rings_left = None, 0
        signal.setitimer(signal.ITIMER_REAL, 0)

    def ring(self, signum: int, frame: FrameType | None) -> None:
        """The clock rang: stop the row if it is still the one seen last; otherwise rows pass, only slowly."""
        if self._answers is None:
            self._ring_for_many()
            return
        done = len(self._answers)
        now = time.monotonic()
        if done == self._seen and now - self._since > 0.9 * self.deadline_s:  # else it rang for the row before
            raise Stopped(f"it took longer than {self.deadline_s:g} s")
        self._seen, self._since = done, now if done != self._seen else self._since
        self.mark(done)
        signal.setitimer(signal.ITIMER_REAL, self.deadline_s)

    def _ring_for_many(self) -> None:
        if self._rings_left == 0:
            return  # the call has just ended
        self._rings_left -= 1
        if self._rings_left == 0:
            raise Stopped(f"a batch took longer than {self.deadline_s:g} s for every {MANY} rows")
        self.mark(-1)
        signal.setitimer(signal.ITIMER_REAL, self.deadline_s)


_watch: ContextVar[Watch] = ContextVar("consilience_watch", default=Watch())  # noqa: B039 - it has no state


def watch() -> Watch:
    """What watches the function that runs now."""
    return _watch.get()


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Have watch look at every function called inside the block.

    An Alarm needs the main thread and a system with alarm clocks; elsewhere nothing watches. An alarm that was set
    before, and its handler, are there again afterwards, less the time that has passed.
    """
    alarmed = isinstance(watch, Alarm)
    if alarmed and not (hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()):
        yield
        return
    token, began = _watch.set(watch), time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, 0) if alarmed else (0.0, 0.0)
    before = signal.signal(signal.SIGALRM, watch.ring) if isinstance(watch, Alarm) else None
    try:
        yield
    finally:
        watch.rest()
        if alarmed:
            signal.signal(signal.SIGALRM, before)
            if left:
                signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 1e-3), interval)
        _watch.reset(token)
