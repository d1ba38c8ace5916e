"""Labels from elsewhere become rows: votes of labeling functions, probabilities of a label model, or what people said.

A knowledge base needs no second way in for them: they are the rows of one more base relation, and one more supervision
rule reads it. Stands between `labeling`, `label_models` and the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from consilience.errors import DataError, nearest
from consilience.kb.language.tree import Atom, Choice, Column, Constant, Name, Operation, Relation, Supervision
from consilience.label_models.base import BaseLabelModel
from consilience.labeling.matrix import LabelMatrix

LABEL, PROBABILITY = "label", "probability"
SAID, SURE = " said", " sure"  # the same, while no column can have these names
TRUTHS = ("true", "yes", "1")


def label_statements(relation: Relation) -> tuple[Relation, Supervision, Supervision]:
    """The relation that holds labels of a variable relation from elsewhere, and the rules for those sure and not.

    >>> from consilience.kb.language import write
    >>> from consilience.kb.language.tree import Program
    >>> smokes = Relation("smokes", (Column("id", "int"),), is_variable=True)
    >>> print(write(Program(label_statements(smokes))))
    smokes_labels(id int, label boolean, probability float).
    <BLANKLINE>
    smokes(id) = label @ probability :- smokes_labels(id, label, probability).
    <BLANKLINE>
    smokes(id) = if probability IS NULL then label end :- smokes_labels(id, label, probability).
    """
    name = f"{relation.name}_labels"
    own = tuple(Column(c.name, c.type) for c in relation.columns)
    label, probability = label_columns(relation)
    held = Relation(name, (*own, Column(label, "boolean"), Column(probability, "float")))
    terms = tuple(Name(c.name) for c in held.columns)
    head, bodies = Atom(relation.name, terms[: len(own)]), ((Atom(name, terms),),)
    is_sure = Choice(((Operation("IS", Name(probability), Constant(None)), Name(label)),))
    return held, Supervision(head, Name(label), Name(probability), bodies), Supervision(head, is_sure, None, bodies)


def label_columns(relation: Relation) -> list[str]:
    """The columns that say what a label is and how sure it is; underscores tell them from the relation's own."""
    taken = {c.name.lower() for c in relation.columns}
    found = []
    for name in (LABEL, PROBABILITY):
        while name in taken:
            name += "_"
        found.append(name)
    return found


def label_rows(
    relation: Relation,
    labels: LabelMatrix | np.ndarray[Any, Any] | Sequence[Any],
    keys: pl.DataFrame | None = None,
    *,
    model: BaseLabelModel | None = None,
    true: str | None = None,
) -> pl.DataFrame:
    """Rows of the relation of labels.

    labels: a label matrix (`model`, by default LabelModel, makes probabilities of it; rows without votes are in scope
    and unlabelled); or, for each row of keys, a probability of being true (float), True, False or None, or the name of
    its category. keys: the key columns, a row a row of labels; by default those of the matrix's table. true: the label
    that means true; by default one called true or yes, or as the relation.
    raises: DataError if they do not fit.
    """
    rows = _label_rows(relation, labels, keys, model, true)
    return rows.rename(dict(zip((SAID, SURE), label_columns(relation), strict=True)))


def _label_rows(
    relation: Relation,
    labels: LabelMatrix | np.ndarray[Any, Any] | Sequence[Any],
    keys: pl.DataFrame | None,
    model: BaseLabelModel | None,
    true: str | None,
) -> pl.DataFrame:
    if isinstance(labels, LabelMatrix):
        keys = _keys(relation, labels, keys)
        return _of_matrix(relation, labels, keys, model, true)
    if keys is None:
        raise DataError("Labels need the keys they belong to.\nFix: give a frame with a row a label.")
    keys = _only_keys(relation, keys)
    if len(keys) != len(labels):
        raise DataError(f"There are {len(keys)} keys and {len(labels)} labels.\nFix: give a row of keys a label.")
    if relation.categories:
        return _categorical(relation, keys, list(labels))
    return _boolean(keys, list(labels))


def vote_rows(relation: Relation, matrix: LabelMatrix, keys: pl.DataFrame | None = None) -> pl.DataFrame:
    """Every vote as a row: the keys, `function`, `label` (its name); for rules that weigh functions themselves."""
    keys = _keys(relation, matrix, keys)
    rows, columns = np.nonzero(matrix.votes >= 0)
    names = np.array([f.name for f in matrix.functions], object)
    said = np.array(list(matrix.labels.votes), object)
    return keys[rows].with_columns(
        pl.Series("function", names[columns].tolist(), pl.String),
        pl.Series(LABEL, said[matrix.votes[rows, columns]].tolist(), pl.String),
    )


def _keys(relation: Relation, matrix: LabelMatrix, keys: pl.DataFrame | None) -> pl.DataFrame:
    if keys is None and matrix.table is not None:
        keys = matrix.table.frame
    if keys is None:
        raise DataError("The label matrix has no table to take keys from.\nFix: give a frame of keys, a row a row.")
    if len(keys) != len(matrix.votes):
        raise DataError(
            f"There are {len(keys)} keys and {len(matrix.votes)} rows of votes.\n"
            "Fix: give a row of keys a row of votes."
        )
    return _only_keys(relation, keys)


def _only_keys(relation: Relation, keys: pl.DataFrame) -> pl.DataFrame:
    for name in relation.keys:
        if name not in keys.columns:
            raise DataError(
                f"The keys have no column {name!r}, which names a {relation.name}.\nFix: {nearest(name, keys.columns)}"
            )
    return keys.select(relation.keys)


def _of_matrix(
    relation: Relation, matrix: LabelMatrix, keys: pl.DataFrame, model: BaseLabelModel | None, true: str | None
) -> pl.DataFrame:
    from consilience.label_models.choose import LabelModel

    fitted: Any = model or LabelModel().fit(matrix)
    proba = np.asarray(fitted.predict_proba(matrix), float)
    voted = np.any(np.asarray(matrix.votes) >= 0, axis=1)
    names = list(matrix.labels)
    if not relation.categories:
        place = names.index(_meaning_true(relation, names, true))
        return _boolean(keys, [p if v else None for p, v in zip(proba[:, place].tolist(), voted, strict=True)])
    frames = []
    for place, name in enumerate(names):
        p = [x if v else None for x, v in zip(proba[:, place].tolist(), voted, strict=True)]
        frames.append(
            _rows(keys, pl.Series(SAID, [None if x is None else True for x in p], pl.Boolean), p, name, relation)
        )
    return pl.concat(frames)


def _meaning_true(relation: Relation, names: Sequence[str], true: str | None) -> str:
    if true is not None:
        if true not in names:
            raise DataError(f"There is no label {true!r}.\nFix: {nearest(true, names)}")
        return true
    for name in names:
        if name.lower() in (*TRUTHS, relation.name.lower()):
            return name
    raise DataError(
        f"None of the labels {', '.join(map(repr, names))} says that a {relation.name} is true.\n"
        f"Fix: name the one that does, as true={names[-1]!r}."
    )


def _boolean(keys: pl.DataFrame, labels: list[Any]) -> pl.DataFrame:
    odd = next((x for x in labels if not (x is None or isinstance(x, bool | np.bool_ | Real))), None)
    if odd is not None:
        raise DataError(f"{odd!r} is no label of a Boolean variable.\nFix: give True, False, None, or a probability.")
    sure = [x if isinstance(x, bool | np.bool_) else None if x is None or x != x else True for x in labels]
    p = [None if x is None or isinstance(x, bool | np.bool_) or x != x else float(x) for x in labels]
    wrong = [x for x in p if x is not None and not 0 <= x <= 1]
    if wrong:
        raise DataError(f"{wrong[0]} is no probability.\nFix: give numbers between 0 and 1.")
    return keys.with_columns(
        pl.Series(SAID, [None if x is None else bool(x) for x in sure], pl.Boolean),
        pl.Series(SURE, p, pl.Float64),
    )


def _categorical(relation: Relation, keys: pl.DataFrame, labels: list[Any]) -> pl.DataFrame:
    """Names of categories, for relations with one column of them."""
    known = pl.Series([x is not None for x in labels])
    name = _category(relation)
    return (
        keys.with_columns(pl.Series(name, labels))
        .filter(known)
        .with_columns(pl.lit(True).alias(SAID), pl.lit(None, pl.Float64).alias(SURE))
    )


def _rows(
    keys: pl.DataFrame, label: pl.Series, p: list[float | None], category: str, relation: Relation
) -> pl.DataFrame:
    return keys.with_columns(pl.lit(category).alias(_category(relation)), label, pl.Series(SURE, p, pl.Float64))


def _category(relation: Relation) -> str:
    if len(relation.categories) != 1:
        raise DataError(
            f"The values of {relation.name} have {len(relation.categories)} columns.\n"
            "Fix: label it by a rule of the program."
        )
    return relation.categories[0]
