"""What a run did, step by step: the answer of every call that grounds, learns or infers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from consilience.views import View


@dataclass(frozen=True)
class Step:
    """One step of a run: what was done, how long it took, and figures for programs."""

    what: str
    said: str
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunReport:
    """The steps of a run, and what its reader should know besides."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def __add__(self, other: RunReport) -> RunReport:
        return RunReport(self.steps + other.steps, self.notes + other.notes)

    @property
    def seconds(self) -> float:
        """How long all steps took."""
        return sum(step.seconds for step in self.steps)

    def view(self) -> View:
        """The table for people."""
        rows = [(step.what, step.said, f"{step.seconds:.2f}") for step in self.steps]
        return View(("step", "what it did", "s"), rows, notes=list(self.notes))

    def __str__(self) -> str:
        return str(self.view())

    def record(self) -> dict[str, Any]:
        """The steps for programs."""
        steps = [{"step": s.what, "said": s.said, "seconds": round(s.seconds, 4), **s.facts} for s in self.steps]
        return {"steps": steps, "notes": list(self.notes), "seconds": round(self.seconds, 4)}
