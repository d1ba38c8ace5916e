"""What an update of marginals did: which strategy for how much of it, why, and how long each stage took."""

from __future__ import annotations

import time
from dataclasses import dataclass

from consilience.kb.incremental.choose import Strategy
from consilience.views import View


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """What one strategy did, for one reason. effective: the least; acceptance: the mean; None where there is none.
    steps: the most in which stored worlds were annealed; 0 if they were not."""

    strategy: Strategy
    because: str
    groups: int
    variables: int
    effective: float | None = None
    acceptance: float | None = None
    steps: int = 0


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """lines: by strategy and reason. touched: variables inferred again, of open variables in all. seconds: by stage.

    >>> print(UpdateReport((StrategyLine(Strategy.EXACT, "small", 2, 5),), 5, 100, {"apply": 0.001}))
      strategy   groups   variables   least effective   acceptance   because
     ────────────────────────────────────────────────────────────────────────
      exact           2           5   –                 –            small
    <BLANKLINE>
    5 of 100 open variables inferred again: apply 0.001 s
    """

    lines: tuple[StrategyLine, ...]
    touched: int
    n_open: int
    seconds: dict[str, float]

    def groups_by(self, strategy: Strategy) -> int:
        """How many groups a strategy brought up to date."""
        return sum(line.groups for line in self.lines if line.strategy == strategy)

    def view(self) -> View:
        """One line a strategy and reason."""
        columns = ["strategy", "groups", "variables", "least effective", "acceptance", "because"]
        rows = [
            [
                line.strategy.value,
                line.groups,
                line.variables,
                None if line.effective is None else round(line.effective),
                line.acceptance,
                line.because + (f" (in {line.steps} steps)" if line.steps else ""),
            ]
            for line in self.lines
        ]
        stages = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.seconds.items())
        note = f"{self.touched} of {self.n_open} open variables inferred again: {stages}"
        return View(columns, rows, notes=[note])

    def __str__(self) -> str:
        return str(self.view())

    def _repr_html_(self) -> str:
        return self.view().html()


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """The stage that ends now."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
