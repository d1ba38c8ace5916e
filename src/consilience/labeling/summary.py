"""What a person wants to know of their functions before trusting them: coverage, overlap, conflict, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from consilience.labeling.matrix import FunctionInfo, LabelMatrix
from consilience.metrics import Interval, wilson
from consilience.views import View


@dataclass(frozen=True)
class FunctionSummary:
    """One function's line: shares of all rows, and accuracy on the rows with gold that it voted on."""

    info: FunctionInfo
    says: tuple[str, ...]
    votes: int
    coverage: float
    overlap: float
    conflict: float
    n_gold: int
    accuracy: Interval


@dataclass(frozen=True)
class Summary:
    """The lines of all functions, and the whole matrix's coverage."""

    lines: tuple[FunctionSummary, ...]
    n_rows: int
    n_gold: int
    n_patterns: int
    coverage: float
    overlap: float
    conflict: float

    @property
    def frame(self) -> pl.DataFrame:
        """The table as a Polars frame."""
        return pl.DataFrame(self.view().records(), infer_schema_length=None)

    def view(self) -> View:
        """The table to look at."""
        failed = any(line.info.failure for line in self.lines)
        columns = ["function", "says", "votes", "coverage", "overlap", "conflict"]
        columns += ["gold", "accuracy", "low", "high"] if self.n_gold else []
        columns += ["errors"] if failed else []
        rows = [self._row(line, failed) for line in self.lines]
        return View(columns, rows, notes=self._notes(), bars=frozenset({"coverage", "overlap", "conflict"}))

    def _row(self, line: FunctionSummary, failed: bool) -> list[object]:
        row: list[object] = [
            line.info.name,
            "|".join(line.says),
            line.votes,
            line.coverage,
            line.overlap,
            line.conflict,
        ]
        row += [line.n_gold, *line.accuracy] if self.n_gold else []
        row += [line.info.failure.count if line.info.failure else 0] if failed else []
        return row

    def _notes(self) -> list[str]:
        notes = [
            f"{self.n_rows:,} rows, {self.n_patterns:,} distinct vote patterns; covered {self.coverage:.1%}, "
            f"by two or more {self.overlap:.1%}, in conflict {self.conflict:.1%}"
            + (f"; {self.n_gold:,} with gold" if self.n_gold else "; no gold")
        ]
        for line in self.lines:
            if line.info.failure:
                last = line.info.failure.first_error.splitlines()[-1:] or [""]
                where = f"first on row {line.info.failure.first_id}"
                notes.append(
                    f"{line.info.name} failed on {line.info.failure.count:,} rows and abstained, {where}: {last[0]}"
                )
        return notes

    def __str__(self) -> str:
        return str(self.view())

    def _repr_html_(self) -> str:
        return self.view().html()


def summarize(matrix: LabelMatrix) -> Summary:
    """Summary of a matrix. O(patterns x functions) once patterns are counted; gold is counted by rows that have it."""
    patterns = matrix.patterns
    voted = patterns.votes >= 0
    n_voters = voted.sum(axis=1)
    highest = patterns.votes.max(axis=1, initial=-1)
    k = len(matrix.labels)
    lowest = np.where(voted, patterns.votes, np.asarray(k, patterns.votes.dtype)).min(axis=1, initial=k)
    split = (n_voters > 1) & (lowest < highest)  # somebody contradicts each voter of such a row
    n = max(len(matrix), 1)
    counts = patterns.counts.astype(np.float64)
    votes = counts @ voted
    overlap = (counts * (n_voters > 1)) @ voted
    conflict = (counts * split) @ voted
    with_gold = matrix.take(matrix.gold >= 0)
    lines = []
    for j, info in enumerate(matrix.functions):
        said = with_gold.votes[:, j] >= 0
        right = int((with_gold.votes[said, j] == with_gold.gold[said]).sum())
        says = tuple(matrix.labels[int(c)] for c in np.unique(patterns.votes[voted[:, j], j]))
        shares = (float(votes[j] / n), float(overlap[j] / n), float(conflict[j] / n))
        lines.append(
            FunctionSummary(info, says, int(votes[j]), *shares, int(said.sum()), wilson(right, int(said.sum())))
        )
    return Summary(
        tuple(lines),
        len(matrix),
        len(with_gold),
        len(patterns),
        float(counts @ (n_voters > 0) / n),
        float(counts @ (n_voters > 1) / n),
        float(counts @ split / n),
    )
