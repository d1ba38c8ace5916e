"""How weights are learned: the penalties, the method, and what the method may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from consilience.errors import GraphError

Method = Literal["auto", "exact", "sgd"]
Soft = Literal["virtual", "likelihood", "target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningSettings:
    """How weights are learned.

    l2: how strongly weights are drawn to 0, as the precision of a normal prior; None: chosen by how well labels that
    are held out are told (`penalty.py`), and 2 where there are too few of them, or with an l1. Under 2, one label for a
    fact leaves a factor of its own (worth +-1) at .66, ten labels at .89; hard evidence cannot drive weights to
    infinity.
    l1: the same by absolute value: weights that explain little become exactly 0.
    method: "exact", "sgd", or "auto": exact where every component that matters allows it.
    soft: what soft labels are: "virtual" evidence beside the factors, relative to how probable the values are over all
    labels (`soft.py`); the same of labels that are a "likelihood" already, up to a constant; or the "target" that
    learned probabilities are to repeat.
    iterations, tolerance: of method exact: most steps, and the largest gradient, in standard deviations of a weight.
    epochs, batches: of method sgd: sweeps over the variables that matter, and updates of the weights in one sweep.
    step, decay: of method sgd: how far a weight goes at first, and what is left of a step after each epoch.
    burn_in: of method sgd: sweeps before the first update; they also tell how large gradients are.
    threads: of method sgd: None for as many as there are cores.
    max_worlds, max_entries: largest component with targets that is enumerated, and entries of the table of worlds
    (12 bytes each). Components without targets may be of any size that exact inference allows.
    """

    l2: float | None = None
    l1: float = 0.0
    method: Method = "auto"
    soft: Soft = "virtual"
    iterations: int = 1000
    tolerance: float = 1e-4
    epochs: int = 200
    batches: int = 16
    step: float = 0.2
    decay: float = 0.985
    burn_in: int = 10
    threads: int | None = None
    max_worlds: int = 1024
    max_entries: int = 50_000_000

    def __post_init__(self) -> None:
        for name in ("l2", "l1", "tolerance", "step"):
            value = getattr(self, name)
            if name == "l2" and value is None:
                continue
            if not (math.isfinite(value) and value >= 0) or (name == "step" and value == 0):
                raise GraphError(f"{name} is {value}.\nFix: a finite number that is not negative (step: above 0).")
        for name in ("iterations", "epochs", "batches", "max_worlds"):
            if getattr(self, name) < 1:
                raise GraphError(f"{name} is {getattr(self, name)}.\nFix: 1 or more.")
        if not 0 < self.decay <= 1:
            raise GraphError(f"decay is {self.decay}.\nFix: above 0 and at most 1.")
        if self.method not in ("auto", "exact", "sgd"):
            raise GraphError(f"There is no method {self.method!r}.\nFix: 'auto', 'exact' or 'sgd'.")
        if self.soft not in ("virtual", "likelihood", "target"):
            raise GraphError(f"There is no soft={self.soft!r}.\nFix: 'virtual', 'likelihood' or 'target'.")
