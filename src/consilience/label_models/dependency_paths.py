"""Dependencies by threshold: how many pairs there are at each, and where to cut. Shared by the ways to find them.

Source: Ratner et al., VLDB 2018, section 3.2 (the elbow). Departs: thresholds are spaced evenly in their logarithm, and
where the number of pairs never runs away the most lenient threshold is taken.
"""

from __future__ import annotations

import numpy as np

from consilience.label_models.base import Floats

Scored = dict[tuple[int, int], float]  # pairs of places of functions, the lower first, and how strong each is
Path = list[tuple[float, int]]

STEPS = 25  # as many points as the paper's path has


def thresholds(strictest: float, most_lenient: float) -> Floats:
    """Points of a path, strict first."""
    return np.geomspace(max(strictest, most_lenient), most_lenient, STEPS)


def path_of(strengths: Floats, most_lenient: float) -> Path:
    """How many pairs are at least as strong as each threshold. strengths: any shape.

    >>> path_of(np.array([0.8, 0.4, 0.06]), 0.05)[::8]
    [(0.8, 1), (0.317..., 2), (0.125..., 2), (0.05, 3)]
    """
    points = thresholds(float(strengths.max(initial=0.0)), most_lenient)
    return [(float(point), int((strengths >= point * (1 - 1e-12)).sum())) for point in points]


def elbow(path: Path) -> int:
    """Place of the point that differs most from its neighbours, before the number of pairs runs away; else the last.

    It runs away where a step adds more pairs than all steps before it, and more than 2.

    >>> elbow([(0.4, 1), (0.3, 3), (0.2, 4), (0.1, 40), (0.05, 90)])
    2
    >>> elbow([(0.4, 1), (0.3, 3), (0.2, 4), (0.1, 4), (0.05, 5)])
    4
    """
    counts = np.array([count for _, count in path])
    added = np.diff(counts)
    runs = np.flatnonzero((added > counts[:-1]) & (added > 2) & (counts[:-1] > 0))
    if len(runs) == 0:
        return len(path) - 1
    bend = np.array([added[i] - (added[i - 1] if i else 0) for i in runs])
    return int(runs[bend.argmax()])
