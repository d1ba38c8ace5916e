"""The laws every labeling function keeps, as one call. Ours pass it; the author of a new kind calls it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels, labels_in
from consilience.data.table import Table
from consilience.errors import ConsilienceError
from consilience.labeling.function import Batch, LabelingFunction, Votes

ODD = (
    "",
    " ",
    "\n",
    "\0",
    "ß İ ﬁ",
    "שלום 你好 👩‍👩‍👧",
    "a" * 5000,
    "%s {} \\ '\" ; --",
    "\ud83d".encode("utf-8", "replace").decode(),
)


def check_labeling_function(
    function: LabelingFunction,
    table: Table,
    *,
    labels: Labels | Sequence[str] | None = None,
    check_batches: bool = True,
) -> None:
    """Raise AssertionError naming the first law that a labeling function breaks.

    table: rows the function is made for; twenty or more, on some of which it votes, say most.
    labels: those it is applied with; default those of the table, or what the function may say.
    check_batches: also that votes depend neither on how rows are cut into batches, nor on their order. False for a
        function that is known to depend on its neighbours; it must then not be applied in batches.

    Asks for about ten times the votes of the table.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "free entry"}, {"text": "see you"}], labels=["ham", "spam"])
    >>> check_labeling_function(cs.keywords("spam", ["free"]), table)
    """
    space = _labels(function, table, labels)
    for law in (*LAWS, *(BATCH_LAWS if check_batches else ())):
        try:
            law(function, table, space)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"it raised {error!r}, where this should hold: {law.__doc__}") from error


def _labels(function: LabelingFunction, table: Table, labels: Any) -> Labels:
    given = labels if labels is not None else table.labels
    if given is None:
        given = list(dict.fromkeys([*labels_in(function.labels or ()), *table.gold_names()]))
    assert given, "nothing says what the labels are; give labels="
    return Labels.of(given).with_votes(function.labels or ())


def _votes(function: LabelingFunction, table: Table, labels: Labels) -> Votes:
    return function.vote(Batch(table, functions=[function]), labels)


def says_what_it_is(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """Kind, description and labels are there, and it can be shown."""
    assert isinstance(function.kind, str) and function.kind, "kind is no name"
    assert isinstance(function.description, str), "description is no text"
    assert function.labels is None or all(isinstance(name, str) for name in function.labels), "labels are not names"
    assert isinstance(function.all_at_once, bool), "all_at_once is neither True nor False"
    assert function.kind in repr(function), "repr does not say the kind"


def votes_are_codes(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """One int16 code a row: of a label that it may give, or -1."""
    codes = _votes(function, table, labels).codes
    assert isinstance(codes, np.ndarray) and codes.dtype == np.int16, "votes are not an int16 array"
    assert codes.shape == (len(table),), f"there are votes of shape {codes.shape} for {len(table)} rows"
    allowed = set(range(len(labels.votes)))
    if function.labels is not None:
        allowed = {labels.vote_index(name) for name in function.labels}
    assert set(codes.tolist()) <= allowed | {ABSTAIN}, "it says what is not among its labels"


def name_is_free(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """Another name changes neither fingerprint nor votes, and leaves the function itself as it is."""
    before = function.name
    twin = function.named("another name")
    assert twin.name == "another name" and function.name == before, "named() does not give a twin with the name"
    assert twin.fingerprint == function.fingerprint, "the name changes the fingerprint"
    assert _same(_votes(twin, table, labels), _votes(function, table, labels)), "the name changes the votes"


def fingerprint_stays(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """The fingerprint is a text that voting does not change."""
    before = function.fingerprint
    assert isinstance(before, str) and before, "fingerprint is no text"
    _votes(function, table, labels)
    assert function.fingerprint == before, "voting changes the fingerprint, so columns would be computed again"


def votes_repeat(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """Asked again, it says the same."""
    assert _same(_votes(function, table, labels), _votes(function, table, labels)), "it does not say the same again"


def no_rows_no_votes(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """On a table without rows there are no votes and no error."""
    votes = _votes(function, table.take(np.zeros(len(table), bool)), labels)
    assert votes.codes.shape == (0,) and votes.codes.dtype == np.int16, "on no rows it does not give no votes"
    assert votes.failure is None, "on no rows something failed"


def gold_is_hidden(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """What gold says changes nothing."""
    if table.gold_column is None:
        return
    empty = pl.lit(None, pl.String).alias(table.gold_column)
    blind = Table(table.frame.with_columns(empty), id=table.id_column, text=table.text_column, gold=table.gold_column)
    assert _same(_votes(function, table, labels), _votes(function, blind, labels)), "gold changes the votes"


def odd_rows_do_no_harm(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """Rows without text or of odd characters raise nothing unclear, and the other rows' votes stay."""
    names = [name for name, kind in table.features.schema.items() if kind == pl.String and name != table.id_column]
    if not len(table) or not names:
        return
    usual = _votes(function, table, labels).codes
    for everywhere in (True, False):  # a column of labels may well refuse what is no label, by a clear error
        odd = _odd_rows(table, names, everywhere)
        both = Table(pl.concat([odd, table.frame]), id=table.id_column, text=table.text_column, gold=table.gold_column)
        try:
            codes = _votes(function, both, labels).codes
        except ConsilienceError:
            assert everywhere, "odd texts, and nothing in the other columns, raise an error"
            continue
        assert codes.shape == (len(both),), "with odd texts there is not one vote a row"
        assert np.array_equal(codes[len(odd) :], usual), "odd rows change the votes on others"


def _odd_rows(table: Table, names: list[str], everywhere: bool) -> pl.DataFrame:
    """The first row again and again, with odd texts in columns of text; or in the text column, and none in others."""
    n = len(ODD) + 1
    odd, none = [*ODD, None], [None] * n
    columns = [pl.Series(name, odd if everywhere or name == table.text_column else none, pl.String) for name in names]
    ids = [f"odd {place}" for place in range(n)] if table.ids.dtype == pl.String else range(-n, 0)
    made = pl.Series(table.id_column, ids).cast(table.ids.dtype)
    return table.frame[[0] * n].with_columns(*columns, made)


def batches_are_free(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """Rows cut into batches of any size get the same votes, and as many failures."""
    whole = _votes(function, table, labels)
    for size in (1, 7, max(1, len(table) // 2)):
        stop = min(len(table), 40 * size)
        parts = [function.vote(Batch(table, start, start + size), labels) for start in range(0, stop, size)]
        codes = np.concatenate([np.empty(0, np.int16), *(part.codes for part in parts)])[:stop]
        assert np.array_equal(codes, whole.codes[:stop]), f"in batches of {size} rows the votes are others"
        failed = sum(part.failure.count for part in parts if part.failure)
        if stop == len(table):
            assert failed == (whole.failure.count if whole.failure else 0), f"in batches of {size} other rows fail"


def order_is_free(function: LabelingFunction, table: Table, labels: Labels) -> None:
    """Rows in another order get the same votes, each its own."""
    order = np.random.default_rng(0).permutation(len(table))
    turned = _votes(function, table.take(order), labels).codes
    assert np.array_equal(turned, _votes(function, table, labels).codes[order]), "the order of rows changes the votes"


def _same(first: Votes, second: Votes) -> bool:
    failed = [votes.failure.count if votes.failure else 0 for votes in (first, second)]
    return np.array_equal(first.codes, second.codes) and failed[0] == failed[1]


LAWS = (
    fingerprint_stays,  # first, before it has voted
    says_what_it_is,
    votes_are_codes,
    name_is_free,
    votes_repeat,
    no_rows_no_votes,
    gold_is_hidden,
    odd_rows_do_no_harm,
)
BATCH_LAWS = (batches_are_free, order_is_free)
