"""What a piece of work costs in this process and all it starts: seconds, CPU seconds, and the most memory at one time.

Read from /proc a few times a second: Linux only. A page that several processes share counts once (PSS).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EVERY_S = 0.2
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def watched() -> Iterator[dict[str, Any]]:
    """Gives a dict that has wall_s, cpu_s and peak_mb when the block has ended."""
    found: dict[str, Any] = {}
    root, began, stop = os.getpid(), time.perf_counter(), threading.Event()
    first = cpu_of_tree(root)
    last, peak = dict(first), [0.0]

    def look() -> None:
        while True:
            last.update(cpu_of_tree(root))
            peak[0] = max(peak[0], sum(map(memory_mb, tree(root))))
            if stop.wait(EVERY_S):
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        stop.set()
        watcher.join()
        last.update(cpu_of_tree(root))
        cpu = sum(seconds - first.get(process, 0.0) for process, seconds in last.items())
        found |= {"wall_s": time.perf_counter() - began, "cpu_s": cpu, "peak_mb": round(peak[0])}


def tree(root: int) -> list[int]:
    """The process and all below it."""
    below: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and (stat := _stat(int(place.name))):
            below.setdefault(int(stat[1]), []).append(int(place.name))
    found = [root]
    for process in found:  # grows while it is walked
        found += below.get(process, [])
    return found


def cpu_of_tree(root: int) -> dict[int, float]:
    """CPU seconds that each process of the tree has used by itself."""
    stats = {process: _stat(process) for process in tree(root)}
    return {process: (int(stat[11]) + int(stat[12])) / TICKS for process, stat in stats.items() if stat}


def memory_mb(process: int) -> float:
    """Its share of the memory it uses."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def _stat(process: int) -> list[str] | None:
    """The fields of /proc/N/stat from the state on; None if it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
