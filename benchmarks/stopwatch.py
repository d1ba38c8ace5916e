"""Time a piece of work several times, in CPU seconds of all threads as well as by the wall clock.

On a shared machine the wall clock says what the neighbours do; CPU seconds say what the work costs. Standard library
only: the other systems that are timed use it in their own environments.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def clocked(prepare: Callable[[], Any], act: Callable[[Any], Any], runs: int) -> tuple[dict[str, Any], Any]:
    """Do `act` on what `prepare` makes anew each time; only `act` is timed.

    returns: best and median of wall and CPU seconds, and what the last run returned.
    """
    wall, cpu, result = [], [], None
    for _ in range(runs):
        given = prepare()
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        result = act(given)
        cpu.append(time.process_time() - cpu_began)
        wall.append(time.perf_counter() - wall_began)
    return spread(wall, cpu), result


def spread(wall: list[float], cpu: list[float]) -> dict[str, Any]:
    """Best and median of repeated times."""
    return {
        "runs": len(wall),
        "wall_s": statistics.median(wall),
        "wall_best_s": min(wall),
        "cpu_s": statistics.median(cpu),
        "cpu_best_s": min(cpu),
    }
