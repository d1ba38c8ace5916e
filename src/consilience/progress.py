"""How long work tells the world how far it is. The floor: one hook, which the command line and notebooks draw.

Library code writes `for part in track(parts, "applying asks")`. With no hook installed nothing is drawn,
unless Python is interactive: then a bar appears once the work has taken two seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


EVERY_S = 0.1  # reports are no closer than this, bar the first and the last


@dataclass(frozen=True)
class Step:
    """One report: what is being done, how much of it is done, and out of how much (None if unknown)."""

    what: str
    done: int
    total: int | None
    seconds: float
    finished: bool = False

    @property
    def rate(self) -> str:
        """How much is done a second, to read.

        >>> Step("applying", 3_000_000, None, 2.0).rate
        '1.5M/s'
        """
        speed = self.done / self.seconds if self.seconds else 0.0
        for size, letter in ((1e6, "M"), (1e3, "k")):
            if speed >= size:
                return f"{speed / size:.1f}{letter}/s"
        return f"{speed:.1f}/s"


Hook = Callable[[Step], None]
_hook: ContextVar[Hook | None] = ContextVar("consilience_progress", default=None)


@contextmanager
def reporting(hook: Hook) -> Iterator[None]:
    """Send every progress report made inside the block to hook.

    >>> seen = []
    >>> with reporting(seen.append):
    ...     _ = [x for x in track([10, 20], "doubling")]
    >>> [(step.done, step.finished) for step in seen]
    [(0, False), (2, True)]
    """
    token = _hook.set(hook)
    try:
        yield
    finally:
        _hook.reset(token)


@contextmanager
def working(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Report a piece of work: gives a function to tell how much more is done. It is finished when the block ends."""
    hook = _hook.get() or (bar_hook(after_s=2.0) if _is_interactive() else None)
    if hook is None:
        yield lambda more=1: None
        return
    start = last = time.perf_counter()
    done = 0

    def tick(more: int = 1) -> None:
        nonlocal done, last
        done += more
        now = time.perf_counter()
        if now - last >= EVERY_S:
            last = now
            hook(Step(what, done, total, now - start))

    hook(Step(what, 0, total, 0.0))
    try:
        yield tick
    finally:
        hook(Step(what, done, total, time.perf_counter() - start, finished=True))


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield items, reporting how many have been dealt with."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with working(what, total) as tick:
        for item in items:
            yield item
            tick()


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


def bar_hook(after_s: float = 0.0, console: Any = None) -> Hook:
    """Hook that draws one rich progress bar per piece of work, once it has lasted `after_s` seconds."""
    bar: Any = None
    task: Any = None
    what: str | None = None

    def draw(step: Step) -> None:
        nonlocal bar, task, what
        if bar is None and (step.finished or step.seconds < after_s):
            return
        if bar is None:
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
            )
            bar = Progress(*columns, transient=True, console=console)
            bar.start()
        if what != step.what:
            what, task = step.what, bar.add_task(step.what, total=step.total, rate="")
        bar.update(task, completed=step.done, rate=step.rate)
        if step.finished:
            bar.stop()
            bar = task = what = None

    return draw
