"""Parts of a table: exact, disjoint, complete, and decided by ids and seed alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consilience import Table
from consilience.errors import DataError


def rows(n, gold=None, **columns):
    frame = pl.DataFrame({"id": np.arange(n), **columns, **({"y": gold} if gold else {})})
    return Table(frame, text=None, gold="y" if gold else None)


def where(parts):
    return {row: name for name, part in parts.items() for row in part.ids.to_list()}


SIZES = st.tuples(st.integers(1, 8), st.integers(1, 8))


@given(st.integers(16, 40), SIZES, st.integers(0, 99))
def test_parts_have_their_sizes_share_no_row_and_leave_none_out(n, sizes, seed):
    parts = rows(n).split(dev=sizes[0], test=sizes[1], seed=seed)
    assert [len(part) for part in parts] == [n - sum(sizes), *sizes]
    assert sorted(row for part in parts for row in part.ids) == list(range(n))


@given(SIZES, st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(sizes, seed, random):
    table = rows(20)
    order = list(range(20))
    random.shuffle(order)
    assert where(table.split(dev=sizes[0], test=sizes[1], seed=seed)) == where(
        table.take(order).split(dev=sizes[0], test=sizes[1], seed=seed)
    )


def test_the_same_seed_gives_the_same_parts_and_another_seed_others():
    first, again, other = (where(rows(100).split(dev=50, seed=seed)) for seed in (3, 3, 4))
    assert first == again != other


@given(st.lists(st.integers(0, 5), min_size=12, max_size=30), st.integers(1, 3), st.integers(0, 9))
def test_groups_are_never_torn_apart(groups, size, seed):
    parts = rows(len(groups), group=groups).split(by="group", dev=size, seed=seed)
    train, dev = (set(part.frame["group"].to_list()) for part in parts)
    assert not train & dev
    assert len(parts["dev"]) >= size
    assert len(parts["train"]) + len(parts["dev"]) == len(groups)


@given(st.integers(0, 99))
def test_parts_are_drawn_from_rows_that_have_gold(seed):
    table = rows(40, gold=["a" if row % 4 == 0 else None for row in range(40)])
    parts = table.split(dev=3, test=4, seed=seed)
    assert parts["dev"].n_gold == len(parts["dev"]) == 3
    assert parts["test"].n_gold == len(parts["test"]) == 4
    assert len(parts["train"]) == 33


def test_shares_are_of_the_rows_that_can_be_drawn():
    assert len(rows(40).split(dev=0.25)["dev"]) == 10
    assert len(rows(40, gold=["a" if row < 20 else None for row in range(40)]).split(dev=0.25)["dev"]) == 5


def test_most_rows_stay_where_they_are_when_others_are_added():
    few, many = where(rows(1000).split(dev=0.5)), where(rows(1100).split(dev=0.5))
    assert sum(few[row] == many[row] for row in few) > 900


def test_a_column_may_name_the_parts_in_their_usual_order():
    parts = rows(5, part=["test", "extra", "dev", "train", "train"]).split(column="part")
    assert [name for name, _ in parts.items()] == ["train", "dev", "test", "extra"]
    assert parts["train"].ids.to_list() == [3, 4] and len(parts) == 4
    assert repr(parts) == "Split(train: 2, dev: 1, test: 1, extra: 1)"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "A split needs sizes or a column"),
        ({"dev": 2, "column": "part"}, "A split needs sizes or a column"),
        ({"dev": 2, "by": "prat"}, "There is no column 'prat'"),
        ({"column": "prat"}, "There is no column 'prat'"),
        ({"dev": 11}, "Part 'dev' should have 11 rows, but only 10 are left"),
        ({"dev": 6, "test": 5}, "Part 'test' should have 5 rows, but only 4 are left"),
        ({"dev": 0}, "Part 'dev' has size 0"),
        ({"dev": 1.5}, "Part 'dev' has size 1.5"),
        ({"dev": True}, "Part 'dev' has size True"),
        ({"train": 3}, "`train` is what the other parts leave"),
        ({"column": "holes"}, "Column 'holes' names no part for some rows"),
    ],
)
def test_a_split_that_cannot_be_says_why_and_what_to_do(asked, message):
    table = rows(10, part=["a"] * 10, holes=["a"] * 9 + [None])
    with pytest.raises(DataError, match=f"(?s){message}.*Fix: "):
        table.split(**asked)


def test_an_unknown_part_is_answered_with_the_nearest():
    with pytest.raises(DataError, match=r"There is no part 'dv'.\nFix: Did you mean 'dev'"):
        rows(10).split(dev=2)["dv"]
