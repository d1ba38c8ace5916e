"""The queries of changed groups: an aggregate is not a sum over rows, so groups that change are made again, whole.

The change of a body says which groups it touches; the body before and after, cut to those groups, says what they were
and what they are. Read by `grounding/delta.py` beside `deltas.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from consilience.kb.language import tree
from consilience.kb.sql.bodies import Join, Read, column, joined, selected
from consilience.kb.sql.expressions import expression, has_aggregate, names_in
from consilience.kb.sql.schema import COUNT

Head = Sequence[tuple[str, tree.Expression, exp.DataType | None]]


def group_keys(head: Head) -> list[tree.Expression]:
    """What an aggregating head groups by."""
    return [e for _, e, _ in head if not has_aggregate(e) and names_in(e)]


def touched_groups(head: Head, body: tree.Body, read: Read) -> exp.Select:
    """Keys k0, k1, ... of the groups that rows of a body belong to, each once. One column `any` if there is no key."""
    join = joined(body, read)
    keys = [exp.alias_(expression(e, join.given), f"k{i}", quoted=True) for i, e in enumerate(group_keys(head))]
    return join.finished().select(*(keys or [exp.alias_(exp.true(), "any", quoted=True)])).distinct()


def groups_query(
    head: Head, body: tree.Body, read: Read, touched: exp.Table, nullable: frozenset[int], *, signed: bool
) -> exp.Select:
    """Rows of a head for the groups in a table of keys, with their count.

    nullable: keys of which some are NULL; they compare by IS NOT DISTINCT FROM, which joins more slowly.
    signed: whether counts of what is read may be negative, so that rows are counted together before they are grouped.
    """
    join = Join(read)
    keys = group_keys(head)
    if keys:
        join.add_table(exp.alias_(touched.copy(), "touched", table=True, quoted=True))
    join.add_body(body)
    for i, key in enumerate(keys):
        same = exp.NullSafeEQ if i in nullable else exp.EQ
        made = expression(key, join.given)
        join.conditions.append(same(this=exp.paren(made), expression=column(f"k{i}", "touched")))
    return selected(_counted_together(join, head) if signed else join, head)


def _counted_together(join: Join, head: Head) -> Join:
    """The bindings a head needs, each once, those left out whose counts add up to nothing."""
    names = sorted(names_in(tuple(e for _, e, _ in head)))
    total = exp.Sum(this=join.count if join.count is not None else exp.Literal.number(1))
    inner = join.finished().select(
        *(exp.alias_(expression(tree.Name(n), join.given), f"n{i}", quoted=True) for i, n in enumerate(names)),
        exp.alias_(exp.cast(total, "bigint"), COUNT, quoted=True),
    )
    if names:
        inner = inner.group_by(*(expression(tree.Name(n), join.given) for n in names))
    inner = inner.having(exp.GT(this=total.copy(), expression=exp.Literal.number(0)))
    outer = Join(join.read, types={n: join.types.get(n) for n in names})
    outer.given = {n: column(f"n{i}", "counted") for i, n in enumerate(names)}
    outer.counts = [column(COUNT, "counted")]
    outer.add_table(exp.alias_(inner.subquery(), "counted", table=True, quoted=True))
    return outer
