"""How the rows of a file differ from those that a base relation holds: what an update has to take in."""

from __future__ import annotations

import numpy as np
import polars as pl
from sqlglot import exp

from consilience.kb.grounding.store import Store
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.schema import BASE, COUNT, Schema


def row_difference(
    store: Store, schema: Schema, relation: str, rows: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that came and rows that went, as bags: a row that comes twice differs from one that came once.

    rows: fitted to the relation. O(rows of both).
    """
    names = list(schema.columns(relation))
    if not store.has_table(BASE, relation):
        return rows, rows.clear()
    stands = exp.select(*(column(n) for n in names), column(COUNT)).from_(table(relation, BASE))
    had = store.frame(stands).with_columns(-pl.col(COUNT))
    wanted = rows.with_columns(pl.lit(1, pl.Int64).alias(COUNT))
    both = pl.concat([wanted, had.cast(dict(wanted.schema))])  # type: ignore[arg-type]
    balance = both.group_by(names, maintain_order=True).agg(pl.col(COUNT).sum())
    return _repeated(balance, 1), _repeated(balance, -1)


def _repeated(balance: pl.DataFrame, sign: int) -> pl.DataFrame:
    """Rows whose count has this sign, each as often as it says."""
    chosen = balance.filter(sign * pl.col(COUNT) > 0)
    return chosen.drop(COUNT)[np.repeat(np.arange(len(chosen)), chosen[COUNT].abs().to_numpy())]
