"""A factor graph as arrays: what grounding makes, and what learning and inference read.

Variables are numbered 0..n-1, weights 0..W-1, factors 0..F-1. A factor joins literals; a literal says that a variable
has a value, and is true or false in a world. What a factor adds to the log-probability of a world is
`weight * scale * worth`, where the worth depends on its function and on which of its literals are true:

| function | worth |
|---|---|
| IS_TRUE, AND | 1 if all literals are true, else -1 |
| OR | 1 if any literal is true, else -1 |
| EQUAL | 1 if all literals are true or all are false, else -1 |
| IMPLY | 0 if a literal of the body is false; else 1 if the head is true, -1 if not |
| IMPLY_MLN | 0 if the body is true and the head is false, else 1 |
| AND_CATEGORICAL | 1 if all literals are true, else 0 |
| LINEAR, RATIO, LOGICAL | g(n) if the head is true, -g(n) if not: n counts the groundings whose literals are all true |

g(n) is n, log2(1 + n) or [n > 0]: one grounding is worth 1 under each. In IMPLY, IMPLY_MLN and the three that count,
the head is the *first* literal. Source: Shin et al. 2015 (sec. 2.4) and the published sampler's table of functions;
departs: the paper's ratio has a natural logarithm, which only scales the weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consilience.errors import GraphError

OPEN = -1  # evidence of a variable whose value is not known
HEAD = -1  # clause of the head of a factor that counts


class FactorFunction(IntEnum):
    """How the literals of a factor are joined. The numbers are those of the published systems' files."""

    IMPLY = 0
    OR = 1
    AND = 2
    EQUAL = 3
    IS_TRUE = 4
    LINEAR = 7
    RATIO = 8
    LOGICAL = 9
    AND_CATEGORICAL = 12
    IMPLY_MLN = 13


COUNTING = (FactorFunction.LINEAR, FactorFunction.RATIO, FactorFunction.LOGICAL)


@dataclass(frozen=True, slots=True)
class Factors:
    """F factors with L literals in all; the literals of factor f are offsets[f]:offsets[f + 1].

    function: (F,) uint8, of FactorFunction. offsets: (F + 1,) int32 or int64. variable: (L,) int32.
    value: (L,) int32: the value the literal asks for; of a Boolean variable 1, or 0 if negated.
    weight: (F,) int32. scale: (F,) float32: feature value, times g(count) where the count does not depend on variables.
    clause: (L,) int32 with the number of the grounding, ascending from 0, and HEAD at the head, if any factor counts
    (0 everywhere else); else empty.
    """

    function: NDArray[np.uint8]
    offsets: NDArray[np.integer]
    variable: NDArray[np.int32]
    value: NDArray[np.int32]
    weight: NDArray[np.int32]
    scale: NDArray[np.float32]
    clause: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.function)

    def take(self, which: NDArray[np.integer]) -> Factors:
        """The factors at these places, in this order. O(their literals)."""
        starts, counts = self.offsets[which], np.diff(self.offsets)[which]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        literals = np.repeat(starts - offsets[:-1], counts) + np.arange(offsets[-1])
        return Factors(
            self.function[which],
            offsets.astype(self.offsets.dtype),
            self.variable[literals],
            self.value[literals],
            self.weight[which],
            self.scale[which],
            self.clause[literals] if len(self.clause) else self.clause,
        )

    @staticmethod
    def joined(parts: Sequence[Factors]) -> Factors:
        """Factors of several blocks, one block behind the other."""
        if not parts:
            return Factors.of([])
        ends = np.cumsum([0, *(len(p.variable) for p in parts)])
        wide = np.int64 if ends[-1] >= 2**31 else np.int32
        counts = any(len(p.clause) for p in parts)
        return Factors(
            np.concatenate([p.function for p in parts]),
            np.concatenate([[0], *(p.offsets[1:].astype(wide) + e for p, e in zip(parts, ends, strict=False))]).astype(
                wide
            ),
            np.concatenate([p.variable for p in parts]),
            np.concatenate([p.value for p in parts]),
            np.concatenate([p.weight for p in parts]),
            np.concatenate([p.scale for p in parts]),
            np.concatenate([p.clause if len(p.clause) else np.zeros(len(p.variable), np.int32) for p in parts])
            if counts
            else np.zeros(0, np.int32),
        )

    @staticmethod
    def of(factors: Iterable[Sequence[Any]]) -> Factors:
        """Factors one by one, for small graphs: (function, [(variable, value), ...], weight[, scale]).

        A factor that counts has as its literals the head, then for each grounding a list of literals.

        >>> f = Factors.of([(FactorFunction.RATIO, [(0, 1), [(1, 1)], [(1, 1), (2, 0)]], 0, 2.0)])
        >>> f.variable.tolist(), f.value.tolist(), f.clause.tolist()
        ([0, 1, 1, 2], [1, 1, 1, 0], [-1, 0, 1, 1])
        """
        functions: list[int] = []
        offsets = [0]
        literals: list[tuple[int, int]] = []
        clauses: list[int] = []
        weights: list[int] = []
        scales: list[float] = []
        for function, given, weight, *scale in factors:
            for clause, literal in enumerate(given, HEAD):
                group = literal if isinstance(literal, list) else [literal]
                literals += group
                clauses += [clause if function in COUNTING else 0] * len(group)
            functions.append(int(function))
            offsets.append(len(literals))
            weights.append(weight)
            scales.append(scale[0] if scale else 1.0)
        pairs = np.array(literals, np.int32).reshape(-1, 2)
        counts = any(f in COUNTING for f in functions)
        return Factors(
            np.array(functions, np.uint8),
            np.array(offsets, np.int32),
            np.ascontiguousarray(pairs[:, 0]),
            np.ascontiguousarray(pairs[:, 1]),
            np.array(weights, np.int32),
            np.array(scales, np.float32),
            np.array(clauses if counts else [], np.int32),
        )


@dataclass(frozen=True, slots=True)
class SoftEvidence:
    """Labels that are not sure: they teach the weights, and leave their variables open when marginals are inferred.

    variable: (s,) int32, ascending. offsets: (s + 1,) int32 into probability, which holds one number a value.
    """

    variable: NDArray[np.int32]
    offsets: NDArray[np.int32]
    probability: NDArray[np.float64]

    @staticmethod
    def none() -> SoftEvidence:
        """No soft labels."""
        return SoftEvidence(np.zeros(0, np.int32), np.zeros(1, np.int32), np.zeros(0))

    def check(self, cardinality: NDArray[np.int32]) -> None:
        """Raise GraphError for the first label that is no distribution over the values of its variable. O(values)."""
        if len(self.variable) == 0:
            return
        n = len(cardinality)
        wrong = np.flatnonzero((self.variable < 0) | (self.variable >= n) | (np.diff(self.variable, prepend=-1) <= 0))
        if len(wrong):
            raise GraphError(
                f"Soft label {wrong[0]} is of variable {self.variable[wrong[0]]}, and there are {n} variables.\n"
                "Fix: one soft label a variable at most, in the order of their numbers."
            )
        if len(self.offsets) != len(self.variable) + 1 or self.offsets[-1] != len(self.probability):
            raise GraphError(
                f"There are {len(self.variable)} soft labels and {len(self.probability)} probabilities, and "
                f"{len(self.offsets)} offsets from {self.offsets[:1].tolist()} to {self.offsets[-1:].tolist()}.\n"
                "Fix: one offset a label, and the end."
            )
        wrong = np.flatnonzero(np.diff(self.offsets) != cardinality[self.variable])
        if len(wrong):
            v, given = self.variable[wrong[0]], np.diff(self.offsets)[wrong[0]]
            raise GraphError(
                f"The soft label of variable {v} has {given} probabilities, but the variable has {cardinality[v]} "
                "values.\nFix: give one for each value."
            )
        sums = np.add.reduceat(self.probability, self.offsets[:-1])
        least = np.minimum.reduceat(self.probability, self.offsets[:-1])
        wrong = np.flatnonzero(~((least >= 0) & (np.abs(sums - 1) < 1e-6)))
        if len(wrong):
            label = self.probability[self.offsets[wrong[0]] : self.offsets[wrong[0] + 1]]
            raise GraphError(
                f"The soft label of variable {self.variable[wrong[0]]} is {label.tolist()}.\n"
                "Fix: probabilities that are not negative and add up to 1."
            )


@dataclass(frozen=True, slots=True)
class FactorGraph:
    """Variables with their evidence, and factors over them. Weights are kept beside it: a graph outlives their values.

    cardinality: (n,) int32, at least 1; Boolean variables have 2 values, 0 is false.
    evidence: (n,) int32: the known value, or OPEN. soft: labels that are not sure.
    weight_is_fixed: (W,) bool: weights that learning leaves alone.

    >>> graph = FactorGraph.of([2, 2], [(FactorFunction.IMPLY, [(1, 1), (0, 1)], 0)], evidence=[1, -1])
    >>> graph.n_variables, graph.n_factors, graph.n_weights
    (2, 1, 1)
    """

    cardinality: NDArray[np.int32]
    evidence: NDArray[np.int32]
    factors: Factors
    weight_is_fixed: NDArray[np.bool_]
    soft: SoftEvidence

    @property
    def n_variables(self) -> int:
        """n."""
        return len(self.cardinality)

    @property
    def n_factors(self) -> int:
        """F."""
        return len(self.factors)

    @property
    def n_weights(self) -> int:
        """W."""
        return len(self.weight_is_fixed)

    @property
    def value_offsets(self) -> NDArray[np.int64]:
        """(n + 1,): where the values of each variable begin in an array with one number a value of a variable."""
        return np.concatenate([[0], np.cumsum(self.cardinality, dtype=np.int64)])

    def with_evidence(self, evidence: NDArray[np.int32]) -> FactorGraph:
        """The same graph with other evidence."""
        return replace(self, evidence=evidence)

    @staticmethod
    def of(
        cardinality: Sequence[int],
        factors: Iterable[Sequence[Any]],
        *,
        n_weights: int | None = None,
        evidence: Sequence[int] | None = None,
        fixed: Sequence[int] = (),
        soft: SoftEvidence | None = None,
    ) -> FactorGraph:
        """A small graph, factor by factor as in `Factors.of`. fixed: weights not learned. raises: GraphError."""
        made = Factors.of(factors)
        n_weights = n_weights if n_weights is not None else int(made.weight.max(initial=-1)) + 1
        is_fixed = np.zeros(n_weights, bool)
        is_fixed[list(fixed)] = True
        known = np.full(len(cardinality), OPEN, np.int32) if evidence is None else np.array(evidence, np.int32)
        graph = FactorGraph(np.array(cardinality, np.int32), known, made, is_fixed, soft or SoftEvidence.none())
        graph.check()
        return graph

    def check(self) -> None:
        """Raise GraphError naming the first thing that is not as the arrays promise. O(literals)."""
        f = self.factors
        if len(self.evidence) != self.n_variables:
            raise GraphError(
                f"There are {self.n_variables} variables and evidence for {len(self.evidence)}.\n"
                f"Fix: give a value, or {OPEN}, for each variable."
            )
        wrong = np.flatnonzero((f.variable < 0) | (f.variable >= self.n_variables))
        if len(wrong):
            raise GraphError(
                f"Literal {wrong[0]} names variable {f.variable[wrong[0]]}, but the graph has {self.n_variables}.\n"
                "Fix: number variables from 0."
            )
        wrong = np.flatnonzero((f.value < 0) | (f.value >= self.cardinality[f.variable]))
        if len(wrong):
            v = f.variable[wrong[0]]
            raise GraphError(
                f"Literal {wrong[0]} asks variable {v} for value {f.value[wrong[0]]}, "
                f"but it has {self.cardinality[v]}.\n"
                "Fix: number the values of a variable from 0."
            )
        wrong = np.flatnonzero((f.weight < 0) | (f.weight >= self.n_weights))
        if len(wrong):
            raise GraphError(
                f"Factor {wrong[0]} has weight {f.weight[wrong[0]]}, but there are {self.n_weights}.\n"
                "Fix: number weights from 0."
            )
        wrong = np.flatnonzero(~np.isfinite(f.scale))
        if len(wrong):
            raise GraphError(f"The scale of factor {wrong[0]} is {f.scale[wrong[0]]}.\nFix: a finite number.")
        wrong = np.flatnonzero((self.evidence < OPEN) | (self.evidence >= self.cardinality))
        if len(wrong):
            raise GraphError(
                f"The evidence of variable {wrong[0]} is {self.evidence[wrong[0]]}, but it has "
                f"{self.cardinality[wrong[0]]} values.\nFix: number the values of a variable from 0."
            )
        self.soft.check(self.cardinality)
