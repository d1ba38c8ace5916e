"""What a person wants to know of their functions before trusting them: coverage, overlap, conflict, accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, Votes
from consilience.metrics import Interval, wilson
from consilience.views import View

COUNT_PATTERNS = 5_000_000  # votes up to which distinct rows are counted for the summary's sake


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
    n_patterns: int | None
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
            ", ".join(line.says),
            line.votes,
            line.coverage,
            line.overlap,
            line.conflict,
        ]
        row += [line.n_gold, *line.accuracy] if self.n_gold else []
        row += [line.info.failure.count if line.info.failure else 0] if failed else []
        return row

    def _notes(self) -> list[str]:
        patterns = "" if self.n_patterns is None else f", {self.n_patterns:,} distinct vote patterns"
        notes = [
            f"{self.n_rows:,} rows{patterns}; covered {self.coverage:.1%}, "
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
    """Summary of a matrix. O(patterns x functions); O(rows x functions) if it is large and they are not counted yet."""
    few = matrix.has_patterns or matrix.counts is not None or matrix.votes.size <= COUNT_PATTERNS
    votes = matrix.patterns.votes if few else matrix.votes
    counts = matrix.patterns.counts.astype(np.float64) if few else None
    n = max(matrix.n_rows, 1)
    voters, lowest, highest = _across(votes, len(matrix.labels.votes))
    shared, split = voters > 1, (voters > 1) & (lowest < highest)  # somebody contradicts each voter of a split row
    if matrix.labels.groups:
        split &= ~agreeable(votes, matrix.labels)
    has_gold = matrix.gold >= 0
    lines = []
    for j, info in enumerate(matrix.functions):
        said = votes[:, j] >= 0
        n_votes, overlap, conflict = (_rows(mask, counts) for mask in (said, said & shared, said & split))
        scored = has_gold & (matrix.votes[:, j] >= 0)
        n_scored = int(scored.sum())
        right = int(matrix.labels.meanings[matrix.votes[scored, j], matrix.gold[scored]].sum())
        says = tuple(name for code, name in enumerate(matrix.labels.votes) if (votes[:, j] == code).any())
        shares = (n_votes / n, overlap / n, conflict / n)
        lines.append(FunctionSummary(info, says, int(n_votes), *shares, n_scored, wilson(right, n_scored)))
    return Summary(
        tuple(lines),
        matrix.n_rows,
        int(has_gold.sum()),
        len(votes) if few else None,
        *(_rows(mask, counts) / n for mask in (voters > 0, shared, split)),
    )


def agreeable(votes: Votes, labels: Labels) -> npt.NDArray[np.bool_]:
    """Rows for which one label satisfies every vote. votes: (n, m). returns: (n,) bool."""
    left = np.ones((len(votes), len(labels)), bool)
    allowed = np.vstack([labels.meanings, np.ones(len(labels), bool)])  # the last, at -1, is abstaining
    for column in votes.T:
        left &= allowed[column]
    return np.asarray(left.any(axis=1))


def _rows(mask: npt.NDArray[np.bool_], counts: npt.NDArray[np.float64] | None) -> float:
    """How many rows a mask over patterns (with their counts) or over rows holds."""
    return float(np.count_nonzero(mask) if counts is None else counts @ mask)


def _across(votes: Votes, n_classes: int) -> tuple[Votes, Votes, Votes]:
    """Of each row: how many voted, and the lowest and highest class anybody said. Column by column, as votes lie."""
    voters = np.zeros(len(votes), np.int32)
    lowest, highest = np.full(len(votes), n_classes, votes.dtype), np.full(len(votes), -1, votes.dtype)
    for column in votes.T:
        said = column >= 0
        voters += said
        np.minimum(lowest, column, out=lowest, where=said)
        np.maximum(highest, column, out=highest)
    return voters, lowest, highest
