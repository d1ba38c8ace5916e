"""Dependencies by threshold: how many pairs there are at each, and where to cut. Shared by the ways to find them.

Source: Ratner et al., VLDB 2018, section 3.2 (the elbow). Departs: thresholds are spaced evenly in their logarithm, and
as long as there are no more pairs than functions no point counts as the elbow: true pairs come in bursts too.
"""

from __future__ import annotations

import numpy as np

from consilience.label_models.base import Floats

Scored = dict[tuple[int, int], float]  # pairs of places of functions, the lower first, and how strong each is
Path = list[tuple[float, int]]

STEPS = 25  # as many points as the paper's path has
NOISE = 1.5  # times sqrt(2 log(pairs) / n), which the largest of so many correlations of unrelated votes stays under


def noise_floor(m: int, n: float) -> float:
    """What the greatest correlation of any two of m unrelated functions on n rows stays under."""
    return float(NOISE * np.sqrt(2 * np.log(m * (m - 1) / 2 + 1) / n))


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


def elbow(path: Path, n_functions: int) -> int:
    """Place of the last point before the number of pairs runs away; the very last if it does not.

    It runs away where there come to be more pairs than functions. Of the points before, the one that differs most from
    its neighbours is taken: the next adds many more than it did itself.

    >>> elbow([(0.4, 1), (0.3, 3), (0.2, 4), (0.1, 40), (0.05, 90)], n_functions=20)
    2
    >>> elbow([(0.4, 1), (0.3, 14), (0.2, 15), (0.1, 15), (0.05, 16)], n_functions=20)
    4
    """
    counts = np.array([count for _, count in path])
    if counts[-1] <= n_functions:
        return len(path) - 1
    last = max(int((counts <= n_functions).sum()), 1)
    added = np.diff(counts, prepend=0)
    return int((added[1 : last + 1] - added[:last]).argmax())
