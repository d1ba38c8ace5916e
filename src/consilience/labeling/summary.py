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

ROWS_AT_ONCE = 16_384  # counted together: about as many as a processor's cache holds
FEW_LABELS = 4  # up to which counting each is quicker than counting all in one
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
    by_label: tuple[LabelLine, ...] = ()


@dataclass(frozen=True)
class LabelLine:
    """What one function's votes for one label (or group of labels) are worth: votes, those with gold, share right."""

    label: str
    votes: int
    n_gold: int
    precision: Interval


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
        """The table to look at. Seconds that functions took and errors are there if there were any."""
        failed = any(line.info.failure for line in self.lines)
        timed = any(line.info.seconds > 0 for line in self.lines)
        columns = ["function", "says", "votes", "coverage", "overlap", "conflict"]
        columns += ["gold", "accuracy", "low", "high"] if self.n_gold else []
        columns += [*(["seconds"] if timed else []), *(["errors"] if failed else [])]
        rows = [self._row(line, timed, failed) for line in self.lines]
        return View(columns, rows, notes=self._notes(), bars=frozenset({"coverage", "overlap", "conflict"}))

    def labels_view(self) -> View:
        """One line for each label that a function says, with the share of these votes that is right."""
        columns = ["function", "says", "votes", *(["gold", "right", "low", "high"] if self.n_gold else [])]
        rows = [
            [line.info.name, said.label, said.votes, *([said.n_gold, *said.precision] if self.n_gold else [])]
            for line in self.lines
            for said in line.by_label
        ]
        return View(columns, rows, notes=self._notes()[:1])

    def _row(self, line: FunctionSummary, timed: bool, failed: bool) -> list[object]:
        row: list[object] = [
            line.info.name,
            ", ".join(line.says),
            line.votes,
            line.coverage,
            line.overlap,
            line.conflict,
        ]
        row += [line.n_gold, *line.accuracy] if self.n_gold else []
        row += [line.info.seconds] if timed else []
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
                end = "; it was given up, and is tried again next time" if line.info.failure.given_up else ""
                what = f"failed on {line.info.failure.count:,} rows and abstained"
                notes.append(f"{line.info.name} {what}, {where}: {last[0]}{end}")
        return notes

    def __str__(self) -> str:
        return str(self.view())

    def _repr_html_(self) -> str:
        return self.view().html()


def summarize(matrix: LabelMatrix) -> Summary:
    """Summary of a matrix. O(patterns x functions); O(rows x functions) if it is large and they are not counted yet."""
    few = matrix.has_patterns or matrix.counts is not None or matrix.votes.size <= COUNT_PATTERNS
    votes = matrix.patterns.votes if few else matrix.votes
    tallies = _tallies(votes, matrix.patterns.counts.astype(np.float64) if few else None, matrix.labels)
    known = np.flatnonzero(matrix.gold >= 0)
    n, scored = max(matrix.n_rows, 1), _scored(matrix, known)
    lines = []
    for j, info in enumerate(matrix.functions):
        n_votes, overlap, conflict = tallies.by_function[j]
        by_label = tuple(
            LabelLine(
                name, int(tallies.said[j, code]), int(scored[j, code, 0]), wilson(*scored[j, code, ::-1].tolist())
            )
            for code, name in enumerate(matrix.labels.votes)
            if tallies.said[j, code]
        )
        n_scored, right = scored[j].sum(axis=0).tolist()
        says = tuple(label.label for label in by_label)
        shares = (n_votes / n, overlap / n, conflict / n)
        lines.append(
            FunctionSummary(info, says, int(n_votes), *shares, int(n_scored), wilson(right, n_scored), by_label)
        )
    voted, shared, split = (share / n for share in tallies.any)
    return Summary(tuple(lines), matrix.n_rows, len(known), len(votes) if few else None, voted, shared, split)


@dataclass(frozen=True)
class _Tallies:
    """Counts of rows: (m, 3) on which each votes, others vote too, others contradict; (m, s) each vote; (3,) any."""

    by_function: npt.NDArray[np.float64]
    said: npt.NDArray[np.float64]
    any: npt.NDArray[np.float64]


def _tallies(votes: Votes, counts: npt.NDArray[np.float64] | None, labels: Labels) -> _Tallies:
    """Counted some rows at a time, so that what is in between stays in the processor's cache."""
    m, symbols = votes.shape[1], len(labels.votes)
    by_function, said, of_any = np.zeros((m, 3)), np.zeros((m, symbols)), np.zeros(3)
    for start in range(0, len(votes), ROWS_AT_ONCE):
        part = votes[start : start + ROWS_AT_ONCE]
        weights = None if counts is None else counts[start : start + ROWS_AT_ONCE]
        voters, lowest, highest = _across(part, symbols)
        shared, split = voters > 1, (voters > 1) & (lowest < highest)  # somebody contradicts each voter of a split row
        if labels.groups:
            split &= ~agreeable(part, labels)
        of_any += [_rows(mask, weights) for mask in (voters > 0, shared, split)]
        for j in range(m):
            spoke = part[:, j] >= 0
            by_function[j] += [_rows(mask, weights) for mask in (spoke, spoke & shared, spoke & split)]
            said[j] += _votes_by_code(part[:, j], spoke, weights, symbols)
    return _Tallies(by_function, said, of_any)


def _votes_by_code(
    column: Votes, spoke: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64] | None, symbols: int
) -> npt.NDArray[np.float64]:
    """How often a column says each vote. returns: (s,)."""
    if weights is None and symbols <= FEW_LABELS:
        return np.array([np.count_nonzero(column == code) for code in range(symbols)], np.float64)
    counted = np.bincount(column[spoke], None if weights is None else weights[spoke], symbols)
    return counted.astype(np.float64)


def _scored(matrix: LabelMatrix, known: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Of each vote of each function, how many are on rows with gold, and how many are right. returns: (m, s, 2)."""
    symbols, k = len(matrix.labels.votes), len(matrix.labels)
    found = np.zeros((len(matrix.functions), symbols, 2))
    votes, gold = (
        (matrix.votes, matrix.gold) if len(known) == len(matrix) else (matrix.votes[known], matrix.gold[known])
    )
    for start in range(0, len(known), ROWS_AT_ONCE):
        part, truth = votes[start : start + ROWS_AT_ONCE], gold[start : start + ROWS_AT_ONCE]
        if symbols <= FEW_LABELS:
            allowed = [matrix.labels.meanings[code][truth] for code in range(symbols)]
            for j, code in np.ndindex(len(found), symbols):
                said = part[:, j] == code
                found[j, code] += (np.count_nonzero(said), np.count_nonzero(said & allowed[code]))
        else:
            for j in range(len(found)):
                both = np.bincount((part[:, j].astype(np.int64) + 1) * k + truth, minlength=(symbols + 1) * k)
                table = both.reshape(symbols + 1, k)[1:]
                found[j] += np.column_stack([table.sum(axis=1), (table * matrix.labels.meanings).sum(axis=1)])
    return found


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
    counts = np.uint8 if votes.shape[1] < 256 else np.int32  # adding up bytes is quickest
    voters = np.zeros(len(votes), counts)
    unsigned = np.dtype(f"u{votes.dtype.itemsize}")  # silence, -1, is then the greatest number, so never the lowest
    lowest, highest = np.full(len(votes), n_classes, unsigned), np.full(len(votes), -1, votes.dtype)
    for column in votes.T:
        np.add(voters, (column >= 0).view(np.uint8), out=voters)
        np.minimum(lowest, column.view(unsigned) if column.flags.c_contiguous else column.astype(unsigned), out=lowest)
        np.maximum(highest, column, out=highest)
    return voters, lowest.astype(votes.dtype), highest
