"""Marginals of a whole graph: each component by the cheapest engine that is exact, and Gibbs sampling for the rest.

Follows `exact.py` and `gibbs.py`; what every engine did is reported. Source: the component-wise view is due to the
graphs of knowledge bases, most of whose components hold one variable.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from consilience.kb.graph.components import known_values
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.inference.exact import UNSOLVED, Limits, Prepared, Solved, checked
from consilience.kb.inference.gibbs import sample
from consilience.kb.inference.marginals import Engine, Marginals
from consilience.views import View

R_HAT_BAR = 1.05  # chains that disagree more than this have not met: the report says so


@dataclass(frozen=True, slots=True)
class InferenceSettings:
    """limits: up to where components are solved exactly. chains, burn_in, epochs, effective: of Gibbs sampling.

    burn_in: sweeps before those that count, None for a fifth of them. effective: stop before all epochs are run once
    nearly all variables are worth that many independent draws; None to run them all.
    evidence_folds: in how many turns evidence is opened when it is scored (at most 64).
    """

    limits: Limits = field(default_factory=Limits)
    chains: int = 4
    burn_in: int | None = None
    epochs: int = 1000
    effective: float | None = None
    evidence_folds: int = 10


@dataclass(frozen=True, slots=True)
class EngineLine:
    """What one engine did. r_hat: the worst; effective: the least; both None where the answer is exact."""

    engine: Engine
    components: int | None
    variables: int
    factors: int
    seconds: float
    r_hat: float | None = None
    effective: float | None = None


@dataclass(frozen=True, slots=True)
class InferenceReport:
    """What inference did, engine by engine. prepare_s: seconds to find and plan components, in no line.

    >>> print(InferenceReport((EngineLine(Engine.TREE, 3, 30, 87, 0.001),), 0.002))
    engine   components   variables   factors   seconds   worst R-hat   least effective
    ─────────────────────────────────────────────────────────────────────────────────────
    tree              3          30        87     0.001             –                 –
    components found and planned in 0.002 s
    """

    lines: tuple[EngineLine, ...]
    prepare_s: float

    @property
    def is_exact(self) -> bool:
        """Whether no variable was sampled."""
        return all(line.r_hat is None for line in self.lines)

    def view(self) -> View:
        """One line an engine."""
        columns = ["engine", "components", "variables", "factors", "seconds", "worst R-hat", "least effective"]
        rows = [
            [
                line.engine.name.lower().replace("_", " "),
                line.components,
                line.variables,
                line.factors,
                line.seconds,
                line.r_hat,
                None if line.effective is None else round(line.effective),
            ]
            for line in self.lines
        ]
        return View(columns, rows, notes=self._notes())

    def _notes(self) -> list[str]:
        notes = [f"components found and planned in {self.prepare_s:.3f} s"]
        apart = [line.r_hat for line in self.lines if line.r_hat is not None and not line.r_hat <= R_HAT_BAR]
        if apart:
            notes.append(
                f"chains disagree (R-hat {max(apart):.2f}, good is below {R_HAT_BAR}): sample more epochs, "
                "or raise the limits of exact inference"
            )
        return notes

    def __str__(self) -> str:
        return str(self.view())

    def _repr_html_(self) -> str:
        return self.view().html()


@dataclass(frozen=True, slots=True)
class Inferred:
    """marginals: of all variables; those with evidence are certain. report: what was done.

    scored: if asked for, marginals in which each variable with evidence has its probabilities given all *other*
    evidence, and the open ones what they have in `marginals`. in_company: (n,) bool, variables that were scored while
    other evidence near them was open too (see `score_evidence`).
    """

    marginals: Marginals
    report: InferenceReport
    scored: Marginals | None = None
    in_company: NDArray[np.bool_] | None = None


def infer(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    *,
    seed: int = 0,
    settings: InferenceSettings | None = None,
    score_evidence: bool = False,
) -> Inferred:
    """Marginals given the evidence, each component by the cheapest engine within the limits.

    weights: (W,) finite. seed: of Gibbs sampling; the same seed gives the same answer. score_evidence: also give the
    probabilities of the variables with evidence given all else, which calibration on training data needs.
    Soft evidence leaves its variables open. raises: GraphError if the weights do not fit the graph.
    Linear in literals beside the engines' cost; about 30 bytes a variable, 8 a value and 4 a factor beside the graph.

    >>> from consilience.kb.graph.factor_graph import FactorFunction
    >>> like = (FactorFunction.EQUAL, [(0, 1), (1, 1)], 0)
    >>> found = infer(FactorGraph.of([2, 2], [like], evidence=[1, -1]), np.array([1.0]))
    >>> found.marginals.probability.round(3), found.report.is_exact
    (array([0.   , 1.   , 0.119, 0.881]), True)
    """
    settings = settings or InferenceSettings()
    weights = checked(graph, weights)
    prepared = Prepared(graph, limits=settings.limits)
    solved = prepared.solve(weights)
    lines, prepare_s = _lines(prepared, solved), prepared.seconds
    marginals = solved.marginals
    if len(solved.unsolved):
        probability, engine = marginals.probability, marginals.engine
        del prepared, solved, marginals  # the chains need the memory
        marginals, line = _sampled(graph, weights, probability, engine, lines[-1], seed, settings)
        lines = (*lines[:-1], line)
    report = InferenceReport(lines, prepare_s)
    if not score_evidence:
        return Inferred(marginals, report)
    from consilience.kb.inference.evidence_scores import scored_evidence  # it infers again, through this module

    return Inferred(marginals, report, *scored_evidence(graph, weights, marginals, seed=seed, settings=settings))


def _lines(prepared: Prepared, solved: Solved) -> tuple[EngineLine, ...]:
    """What each engine has to do, and the exact ones have done; Gibbs sampling comes last."""
    variables = np.bincount(solved.marginals.engine, minlength=len(Engine))
    factors = prepared.factors_by_engine(solved.marginals.engine)
    components = np.bincount(prepared.engine, minlength=len(Engine))
    return tuple(
        EngineLine(
            Engine(engine),
            int(components[engine]) if engine != Engine.EVIDENCE else None,
            int(variables[engine]),
            int(factors[engine]),
            solved.seconds.get(Engine(engine), 0.0),
        )
        for engine in np.flatnonzero(variables + factors).tolist()
    )


def _sampled(
    graph: FactorGraph,
    weights: NDArray[np.float64],
    probability: NDArray[np.float64],
    engine: NDArray[np.uint8],
    line: EngineLine,
    seed: int,
    settings: InferenceSettings,
) -> tuple[Marginals, EngineLine]:
    """The exact marginals with those of unsolved components, by Gibbs sampling. line: what there is to do."""
    started = time.perf_counter()
    unsolved = engine == UNSOLVED
    found = sample(
        graph.with_evidence(known_values(graph)),
        weights,
        np.flatnonzero(unsolved).astype(np.int32),
        chains=settings.chains,
        burn_in=settings.burn_in,
        epochs=settings.epochs,
        effective=settings.effective,
        seed=seed,
    )
    of_value = np.repeat(unsolved, graph.cardinality)
    probability[of_value] = found.probability[of_value]
    line = replace(
        line, seconds=time.perf_counter() - started, r_hat=found.worst_r_hat, effective=found.least_effective
    )
    return Marginals(probability, engine, found.r_hat, found.effective), line
