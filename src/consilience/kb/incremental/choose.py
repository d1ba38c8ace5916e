"""Which strategy updates which part of a change, and why.

Reads what is known of each group of variables that hang together; `update.py` does what is chosen. Source: Shin et al.
2015, sec. 3.3, whose rules look at the kind of change alone. Departs: the part of a change that can be solved exactly
is; else stored worlds are used if, tried on a hundred of them, they are still worth enough independent ones, whatever
kind of change it is, and if to weigh them is cheaper than to sample anew. Metropolis-Hastings is never chosen, for
importance weights cost the same and reject nothing; nor are worlds annealed unless stored worlds are asked for by name:
that takes more sweeps than sampling anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from consilience.kb.inference.exact import Limits

GIBBS_SWEEPS = 2400  # of four chains, until they are worth a thousand draws where they mix
ONE_BY_ONE = 4  # a literal looked at by itself, as reweighting does, costs as much as so many in a sweep
CHEAPER = 3  # an approximation has to cost this many times less than sampling the graph itself


class Strategy(StrEnum):
    """How the marginals of a group are brought up to date."""

    EXACT = "exact"
    IMPORTANCE = "importance"
    METROPOLIS = "metropolis"
    VARIATIONAL = "variational"
    GIBBS = "gibbs"
    FULL = "full"


ORDER = list(Strategy)


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """least_effective: independent draws that stored worlds have to be worth, and that sampling anew stops at; 1000
    leave a standard error of .016.

    pilot: worlds tried first. epochs: the most sweeps of each of four chains, where sampled anew. full_share: share of
    all open variables from which the whole graph is inferred again. limits: of exact inference.
    """

    least_effective: float = 1000.0
    pilot: int = 100
    epochs: int = 1000
    full_share: float = 0.9
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What is known of G groups; each (G,).

    size: variables. literals: of all its factors. changed_literals: of factors that changed. is_exact: solvable within
    the limits. stored: the stored worlds speak of it. effective: independent draws that all of them are expected to be
    worth, NaN if not stored. approximated: an approximate graph speaks of it. approximate_literals: of that graph.
    evidence_changed: whether evidence was given, changed or taken back. n_stored: worlds there are, for all.
    """

    size: NDArray[np.int64]
    literals: NDArray[np.int64]
    changed_literals: NDArray[np.int64]
    is_exact: NDArray[np.bool_]
    stored: NDArray[np.bool_]
    effective: NDArray[np.float64]
    approximated: NDArray[np.bool_]
    approximate_literals: NDArray[np.int64]
    evidence_changed: NDArray[np.bool_]
    n_stored: int

    def __len__(self) -> int:
        return len(self.size)


@dataclass(frozen=True, slots=True)
class Choice:
    """strategy: of one group. because: a sentence."""

    strategy: Strategy
    because: str


SOLVED = Choice(Strategy.EXACT, "small or tree-like enough to be solved exactly")


def choose(facts: GroupFacts, settings: UpdateSettings, *, n_open: int, wanted: str = "auto") -> list[Choice]:
    """One choice a group. n_open: open variables of the whole graph. wanted: "auto", or a strategy for all that can."""
    if wanted == Strategy.FULL:
        return [Choice(Strategy.FULL, "a full run was asked for")] * len(facts)
    if wanted != "auto":
        return [_as_wanted(facts, g, Strategy(wanted)) for g in range(len(facts))]
    choices = [SOLVED if exact else _of_group(facts, g, settings) for g, exact in enumerate(facts.is_exact.tolist())]
    others = {c.strategy for c in choices if c is not SOLVED}
    touched = int(facts.size.sum())
    if others == {Strategy.GIBBS} and touched > settings.full_share * n_open:
        why = f"the change touches {touched} of {n_open} open variables: nothing is saved by leaving the rest"
        return [Choice(Strategy.FULL, why)] * len(facts)
    return choices


def _of_group(facts: GroupFacts, g: int, settings: UpdateSettings) -> Choice:
    kind = "evidence changed" if facts.evidence_changed[g] else "factors or weights changed"
    effective = facts.effective[g]
    if not facts.stored[g]:
        short = "no stored worlds speak of it"
    elif ONE_BY_ONE * facts.n_stored * facts.changed_literals[g] > GIBBS_SWEEPS * facts.literals[g]:
        short = (
            f"{kind}, and to weigh {facts.n_stored} stored worlds by all that changed costs more than to sample anew"
        )
    elif effective >= settings.least_effective:
        return Choice(
            Strategy.IMPORTANCE,
            f"{kind}, and the {facts.n_stored} stored worlds are still worth {_about(effective)} independent ones",
        )
    else:
        short = f"{kind}, and the {facts.n_stored} stored worlds are worth no more than {_about(effective)}"
    approximate = facts.approximate_literals[g] + facts.changed_literals[g]
    if facts.approximated[g] and CHEAPER * approximate < facts.literals[g] + facts.changed_literals[g]:
        return Choice(Strategy.VARIATIONAL, f"{short}; its approximate graph is over {CHEAPER} times smaller")
    if facts.approximated[g]:
        return Choice(Strategy.GIBBS, f"{short}; an approximate graph would save too little")
    return Choice(Strategy.GIBBS, short)


def _as_wanted(facts: GroupFacts, g: int, wanted: Strategy) -> Choice:
    lacks = {
        Strategy.IMPORTANCE: None if facts.stored[g] else "no stored worlds speak of it",
        Strategy.METROPOLIS: None if facts.stored[g] else "no stored worlds speak of it",
        Strategy.VARIATIONAL: None if facts.approximated[g] else "no approximate graph speaks of it",
        Strategy.EXACT: None if facts.is_exact[g] else "it is beyond the limits of exact inference",
    }.get(wanted)
    if lacks is None:
        return Choice(wanted, f"{wanted} was asked for")
    instead = Strategy.EXACT if facts.is_exact[g] else Strategy.GIBBS
    return Choice(instead, f"{wanted} was asked for, but {lacks}")


def _about(x: float) -> str:
    """Two figures: reasons that differ by noise read alike."""
    return f"{float(f'{x:.1e}'):.0f}"
