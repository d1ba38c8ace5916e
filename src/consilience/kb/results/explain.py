"""Why a fact is as probable as it is: the rules that bear on it, what each weighs, and the rows that speak for it.

Reads the graph, the weights and the marginals; asks the database for the rows behind each rule. Pushes are in log-odds:
log 2 twice as likely, 0 nothing; over a variable whose factors touch no other open one they add up to its log-odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlglot import exp

from consilience.errors import DataError, nearest
from consilience.kb.grounding.arrays import LoadedGraph
from consilience.kb.grounding.store import Store
from consilience.kb.language.tree import Inference, Program, Relation
from consilience.kb.results.kept import as_text, facts_of, probabilities, variable_relation
from consilience.kb.results.pushes import Push, pushes
from consilience.kb.sql.bindings import binding_queries
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.rules import rule_name
from consilience.kb.sql.schema import COUNT, ID, POSITION, VALUE, VALUES, VARIABLES, Schema
from consilience.views import View

N_ROWS = 5  # rows shown for each rule


@dataclass(frozen=True)
class Reason:
    """A factor of the fact.

    tied_to: the values its weight is tied to. log_odds: how hard it pushes. others: other facts it joins, and how
    probable they are.
    """

    rule: str
    tied_to: str
    weight: float
    log_odds: float
    others: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Explanation:
    """A fact, its probability, and why. evidence: for each rule, rows of its body with the names they bind."""

    fact: str
    probability: float | None
    known: bool | None
    reasons: tuple[Reason, ...]
    n_reasons: int
    evidence: dict[str, pl.DataFrame]

    def view(self) -> View:
        """The reasons as a table, the hardest push first."""
        rows = [
            (
                r.rule,
                r.tied_to,
                round(r.weight, 3),
                f"{r.log_odds:+.3f}",
                ", ".join(f"{f} {p:.2f}" for f, p in r.others),
            )
            for r in self.reasons
        ]
        notes = [f"the label says {str(self.known).lower()}"] if self.known is not None else []
        if self.n_reasons > len(rows):
            notes.append(f"{self.n_reasons - len(rows):,} more push less")
        if not rows:
            notes.append("no rule bears on it: nothing but its label is known")
        said = "not inferred" if self.probability is None else f"{self.probability:.3f}"
        columns = ("rule", "tied to", "weight", "push", "together with")
        return View(columns, rows, title=f"{self.fact}: {said}", notes=notes)

    def evidence_views(self) -> list[View]:
        """The rows behind each rule, a table a rule."""
        return [
            View(frame.columns, [tuple(map(_short, row)) for row in frame.iter_rows()], title=f"rows of {rule}")
            for rule, frame in self.evidence.items()
            if len(frame) and frame.columns
        ]

    def record(self) -> dict[str, Any]:
        """All of it for programs."""
        return {
            "fact": self.fact,
            "probability": self.probability,
            "label": self.known,
            "reasons": [
                {
                    "rule": r.rule,
                    "tied_to": r.tied_to,
                    "weight": r.weight,
                    "log_odds": r.log_odds,
                    "with": dict(r.others),
                }
                for r in self.reasons
            ],
            "n_reasons": self.n_reasons,
            "evidence": {rule: frame.to_dicts() for rule, frame in self.evidence.items()},
        }

    def __str__(self) -> str:
        return "\n\n".join(str(view) for view in (self.view(), *self.evidence_views()))


def explain(
    store: Store, program: Program, loaded: LoadedGraph, name: str, key: Sequence[Any], *, limit: int = 10
) -> Explanation:
    """Why a fact of a variable relation is as probable as it is.

    key: its key columns, then its categories if it has any. limit: reasons to list.
    raises: ProgramError for a relation without variables, DataError for a fact that is not there.
    """
    schema = Schema(program)
    relation = variable_relation(schema, name)
    fact = _fact(store, schema, relation, key)
    position, value = _place(store, relation, fact)
    near = _neighbours(loaded, position)
    probability = probabilities(store, loaded.ids, loaded.graph.cardinality, loaded.graph.evidence)
    found = pushes(loaded.graph, loaded.weights, probability, position, value)
    names = _fact_names(store, schema, near)
    weights = {p: (r, d) for p, r, d in store.rows("SELECT position, rule, description FROM _kb.weights")}
    reasons = tuple(_reason(loaded, push, weights, names, probability) for push in found[:limit])
    rules = list(dict.fromkeys(reason.rule for reason in reasons))
    evidence = {rule: _rows_behind(store, schema, program, rule, relation, fact) for rule in rules}
    shown = f"{name}({', '.join(str(fact[c.name]) for c in relation.columns)})"
    return Explanation(shown, fact["probability"], fact["evidence"], reasons, len(found), evidence)


def _fact(store: Store, schema: Schema, relation: Relation, key: Sequence[Any]) -> dict[str, Any]:
    names = [*relation.keys, *relation.categories]
    if len(key) != len(names):
        raise DataError(
            f"A {relation.name} is named by {len(names)} columns, not {len(key)}.\nFix: give {', '.join(names)}."
        )
    facts = facts_of(store, schema, relation.name)
    found = facts
    for n, k in zip(names, key, strict=True):
        found = found.filter(_are(found[n], k))
    if len(found) == 0:
        known = as_text(facts[names[0]].drop_nulls()).unique().sort().head(1000).to_list()
        raise DataError(
            f"There is no {relation.name}({', '.join(map(str, key))}).\n"
            f"Fix: {nearest(str(key[0]), known) if known else 'its relation is empty'}"
        )
    return found.row(0, named=True)


def _are(values: pl.Series, key: Any) -> pl.Series:
    """Which values are the key, or are written like it."""
    if key is None:
        return values.is_null()
    if values.dtype == pl.String or values.dtype.is_integer():
        return values.cast(pl.String) == str(key)
    said = str(key).lower()
    return pl.Series(
        [x is not None and (x == key or str(x).lower() == said) for x in values.to_list()], dtype=pl.Boolean
    )


def _place(store: Store, relation: Relation, fact: dict[str, Any]) -> tuple[int, int]:
    """Position of the variable, and the value that the fact says it has."""
    position = int(
        store.one(exp.select(POSITION).from_(table(relation.name, VARIABLES)).where(f"{ID} = ?"), [fact[ID]])
    )
    if not relation.categories:
        return position, 1
    same = exp.and_(*(exp.NullSafeEQ(this=column(c), expression=exp.Placeholder()) for c in relation.categories))
    query = exp.select(VALUE).from_(table(relation.name, VALUES)).where(f"{POSITION} = ?").where(same)
    return position, int(store.one(query, [position, *(fact[c] for c in relation.categories)]))


def _neighbours(loaded: LoadedGraph, position: int) -> NDArray[np.int64]:
    """Positions of all variables in the factors of one, itself too."""
    factors = loaded.graph.factors
    of = np.searchsorted(factors.offsets, np.flatnonzero(factors.variable == position), side="right") - 1
    spans = [factors.variable[factors.offsets[f] : factors.offsets[f + 1]] for f in np.unique(of)]
    return np.unique(np.concatenate([*spans, [position]])).astype(np.int64)


def _fact_names(store: Store, schema: Schema, near: NDArray[np.int64]) -> dict[int, str]:
    """How people call the variables at these positions."""
    names: dict[int, str] = {}
    for name in schema.order:
        if not schema.is_variable(name):
            continue
        keys = schema.relation(name).keys
        query = exp.select(POSITION, *(column(k) for k in keys)).from_(table(name, VARIABLES))
        query = query.where(column(POSITION).isin(*near.tolist()))
        for position, *key in store.rows(query):
            names[position] = f"{name}({', '.join(map(str, key))})"
    return names


def _reason(
    loaded: LoadedGraph,
    push: Push,
    weights: dict[int, tuple[str, str]],
    names: dict[int, str],
    probability: NDArray[np.float64],
) -> Reason:
    rule, description = weights[push.weight]
    tied = description.removeprefix(rule)
    graph, offsets = loaded.graph, loaded.graph.value_offsets
    others = []
    for v in push.others:
        p = probability[offsets[v] : offsets[v + 1]]
        others.append((names.get(v, f"variable {v}"), float(p[1]) if graph.cardinality[v] == 2 else float(p.max())))
    return Reason(rule, tied, float(loaded.weights[push.weight]), push.log_odds, tuple(others))


def _rows_behind(
    store: Store, schema: Schema, program: Program, name: str, relation: Relation, fact: dict[str, Any]
) -> pl.DataFrame:
    """Some rows of a rule's body that make it bear on the fact."""
    rules = [r for r in program.rules if isinstance(r, Inference) and rule_name(r) == name]
    key = {k: fact[k] for k in relation.keys}
    frames = []
    for rule in rules:
        places = [i for i, literal in enumerate(rule.literals) if literal.atom.relation == relation.name]
        for query, params in (found for i in places for found in binding_queries(schema, rule, key, literal=i)):
            frames.append(store.frame(query.limit(N_ROWS), params).drop(COUNT))
    frames = [frame for frame in frames if frame.width]
    together = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    return together.unique(maintain_order=True).head(N_ROWS)


def _together(others: tuple[tuple[str, float], ...], most: int = 4) -> str:
    said = [f"{fact} {probability:.2f}" for fact, probability in others[:most]]
    return ", ".join(said + ([f"and {len(others) - most} more"] if len(others) > most else []))


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"
