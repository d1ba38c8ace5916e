"""The factor graph of a program by plain loops, by names instead of numbers: variables are (relation, key).

Two graphs are the same if their `Named` are equal. `named` writes any FactorGraph in this form.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.reference.datalog import Bag, Callables, Row, derived, hashable, join, order, value

from consilience.kb.language import tree as t

Key = tuple[str, Row]


@dataclass
class Variable:
    """Values in their order (none if Boolean), the place of the known one, and what soft labels say of each."""

    values: tuple[Row, ...]
    evidence: int | None = None
    soft: tuple[float, ...] | None = None


@dataclass
class Named:
    """variables by key; how often each factor stands; weights that factors use: their fixed number, or None.

    factor: (function, head, clauses, weight, scale) where head holds the literals of a factor that does not count.
    """

    variables: dict[Key, Variable] = field(default_factory=dict)
    factors: Counter[Any] = field(default_factory=Counter)
    weights: dict[Any, float | None] = field(default_factory=dict)
    conflicts: int = 0


def ground(program: t.Program, base: Mapping[str, Iterable[Row]], callables: Callables | None = None) -> Named:
    """The graph of a program over base rows."""
    bags = derived(program, base, callables)
    out = Named()
    for relation in program.relations.values():
        if relation.is_variable:
            variables_of(relation, program, bags, out)
    for rule in program.rules:
        if isinstance(rule, t.Inference):
            factors_of(rule, program, bags, out)
    return out


def split(relation: t.Relation, row: Row) -> tuple[Row, Row]:
    """Key and category of a row, each in the order of the declaration."""
    named = dict(zip((c.name for c in relation.columns), row, strict=True))
    return tuple(named[k] for k in relation.keys), tuple(named[c] for c in relation.categories)


def variables_of(relation: t.Relation, program: t.Program, bags: Mapping[str, Bag], out: Named) -> None:
    """Variables of a relation with what their labels say."""
    domains: dict[Row, set[Row]] = {}
    for row in bags[relation.name]:
        key, category = split(relation, row)
        domains.setdefault(key, set()).add(category)
    hard: dict[Row, set[tuple[Row, bool]]] = {}
    soft: dict[Row, list[tuple[Row, float]]] = {}
    for rule in program.rules:
        if isinstance(rule, t.Supervision) and rule.head.relation == relation.name:
            for body in rule.bodies:
                for given, count in join(body, bags):
                    row = tuple(hashable(value(a, given)) for a in rule.head.arguments)
                    key, category = split(relation, row)
                    label = value(rule.label, given)
                    if label is None:
                        continue
                    if rule.probability is None:
                        hard.setdefault(key, set()).add((category, bool(label)))
                    else:
                        p = value(rule.probability, given)
                        if p is not None:
                            soft.setdefault(key, []).extend([(category, p if label else 1 - p)] * count)
    for key, domain in domains.items():
        values = tuple(sorted(domain, key=order)) if relation.categories else ()
        made = Variable(values)
        labels = hard.get(key, set())
        made.evidence = (boolean if not values else categorical)(labels, values)
        out.conflicts += conflicting(labels, values)
        if made.evidence is None and key in soft:
            made.soft = softened(soft[key], values)
        out.variables[relation.name, key] = made


def boolean(labels: set[tuple[Row, bool]], values: tuple[Row, ...]) -> int | None:
    """Labels ANDed."""
    return int(all(label for _, label in labels)) if labels else None


def categorical(labels: set[tuple[Row, bool]], values: tuple[Row, ...]) -> int | None:
    """The first value labelled TRUE, else the only one not labelled FALSE."""
    true = [i for i, v in enumerate(values) if (v, True) in labels]
    if true:
        return true[0]
    left = [i for i, v in enumerate(values) if (v, False) not in labels]
    return left[0] if labels and len(left) == 1 else None


def conflicting(labels: set[tuple[Row, bool]], values: tuple[Row, ...]) -> bool:
    """Whether a value is labelled TRUE and FALSE, or two values TRUE."""
    true = {v for v, label in labels if label}
    return len(true) > 1 or any((v, False) in labels for v in true)


def softened(labels: list[tuple[Row, float]], values: tuple[Row, ...]) -> tuple[float, ...]:
    """Boolean: the mean. Categorical: the mean of each category; those without labels share what is left; then to 1."""
    if not values:
        p = sum(p for _, p in labels) / len(labels)
        return (1 - p, p)
    said = {v: [p for c, p in labels if c == v] for v in values}
    mean = {v: sum(given) / len(given) for v, given in said.items() if given}
    left = max(1 - sum(mean.values()), 0.0)
    share = [mean[v] if v in mean else left / (len(values) - len(mean)) for v in values]
    total = sum(share)
    return tuple(x / total if total else 1 / len(values) for x in share)


def factors_of(rule: t.Inference, program: t.Program, bags: Mapping[str, Bag], out: Named) -> None:
    """Groundings of an inference rule, counted and made factors."""
    heads = tuple(literal.atom for literal in rule.literals)
    counts: Counter[Any] = Counter()
    for body in rule.bodies or ((),):
        for given, count in join((*body, *heads), bags):
            literals = tuple(literal_of(one, program, out, given) for one in rule.literals)
            tied = () if rule.fixed_weight is not None else tuple(hashable(value(w, given)) for w in rule.weights)
            if all(isinstance(w, t.Constant) for w in rule.weights):
                tied = ()
            feature = 1.0 if rule.feature_value is None else value(rule.feature_value, given)
            if feature is not None:
                counts[literals, tied, float(feature)] += count
    add = imply_factors if rule.function == "imply" else plain_factors
    add(rule, program, counts, out)


def literal_of(literal: t.Literal, program: t.Program, out: Named, given: dict[str, Any]) -> tuple[Key, int]:
    """The variable of a literal and the place of the value it asks for."""
    relation = program.relations[literal.atom.relation]
    key, category = split(relation, tuple(hashable(value(a, given)) for a in literal.atom.arguments))
    if not relation.categories:
        return (relation.name, key), int(not literal.negated)
    return (relation.name, key), out.variables[relation.name, key].values.index(category)


def worth_of(semantics: str, n: int) -> float:
    """g(n)."""
    return {"linear": float(n), "ratio": math.log2(1 + n), "logical": float(n > 0)}[semantics]


def weight_key(rule: t.Inference, program: t.Program, tied: Row) -> tuple[int, Row]:
    """A weight by the number of its rule among the inference rules, and its tied values."""
    return [r for r in program.rules if isinstance(r, t.Inference)].index(rule), tied


def plain_factors(rule: t.Inference, program: t.Program, counts: Counter[Any], out: Named) -> None:
    """One factor for each group of groundings, its scale with g of their number."""
    only_categories = all(program.relations[one.atom.relation].categories for one in rule.literals)
    function = rule.function.upper()
    if only_categories and rule.function in ("is_true", "and"):
        function = "AND_CATEGORICAL"
    for (literals, tied, feature), n in counts.items():
        key = weight_key(rule, program, tied)
        out.weights[key] = rule.fixed_weight
        scale = float(np.float32(feature * worth_of(rule.semantics, n)))
        out.factors[function, literals, (), key, scale] += 1


def imply_factors(rule: t.Inference, program: t.Program, counts: Counter[Any], out: Named) -> None:
    """One factor for each head, weight and feature value; its clauses are the bodies."""
    groups: dict[Any, list[Any]] = {}
    for (literals, tied, feature), n in counts.items():
        groups.setdefault((literals[-1], tied, feature), []).extend([literals[:-1]] * n)
    for (head, tied, feature), clauses in groups.items():
        key = weight_key(rule, program, tied)
        out.weights[key] = rule.fixed_weight
        scale = float(np.float32(feature))
        if len(clauses) == 1:
            out.factors["IMPLY", (head, *clauses[0]), (), key, scale] += 1
        else:
            out.factors[rule.semantics.upper(), (head,), tuple(sorted(clauses, key=repr)), key, scale] += 1
