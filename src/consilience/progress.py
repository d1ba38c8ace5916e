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


@dataclass(frozen=True)
class Step:
    """One report: what is being done, how much of it is done, and out of how much (None if unknown)."""

    what: str
    done: int
    total: int | None
    seconds: float

    @property
    def finished(self) -> bool:
        """True on the last report of a piece of work."""
        return self.total is not None and self.done >= self.total


Hook = Callable[[Step], None]
_hook: ContextVar[Hook | None] = ContextVar("consilience_progress", default=None)


@contextmanager
def reporting(hook: Hook) -> Iterator[None]:
    """Send every progress report made inside the block to hook.

    >>> seen = []
    >>> with reporting(lambda step: seen.append(step.done)):
    ...     _ = [x for x in track([10, 20], "doubling")]
    >>> seen
    [0, 1, 2]
    """
    token = _hook.set(hook)
    try:
        yield
    finally:
        _hook.reset(token)


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield items, reporting before the first and after each one."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    hook = _hook.get() or (_interactive_hook() if _is_interactive() else None)
    start = time.perf_counter()
    if hook is None:
        yield from items
        return
    hook(Step(what, 0, total, 0.0))
    for done, item in enumerate(items, 1):
        yield item
        hook(Step(what, done, total, time.perf_counter() - start))


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


def _interactive_hook() -> Hook:
    return bar_hook(after_s=2.0)


def bar_hook(after_s: float = 0.0, console: Any = None) -> Hook:
    """Hook that draws one rich progress bar per piece of work, once it has lasted `after_s` seconds."""
    state: dict[str, Any] = {"bar": None, "task": None, "what": None}

    def draw(step: Step) -> None:
        if state["bar"] is None and (step.finished or step.seconds < after_s):
            return
        if state["bar"] is None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            state["bar"] = Progress(*columns, transient=True, console=console)
            state["bar"].start()
        if state["what"] != step.what:
            state.update(what=step.what, task=state["bar"].add_task(step.what, total=step.total))
        state["bar"].update(state["task"], completed=step.done)
        if step.finished:
            state["bar"].stop()
            state.update(bar=None, task=None, what=None)

    return draw
