"""Rows to label next: uncertain, many alike, and not one pattern ten times."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import class_names, vote_matrices

from consilience import LabelMatrix, apply, keywords, read
from consilience.labeling.beliefs import openness, smoothed_shares
from consilience.labeling.next_rows import next_rows_view, rows_to_label


@given(vote_matrices(), st.data())
def test_rows_are_distinct_unlabelled_and_in_the_order_of_a_plain_greedy_choice(made, data):
    votes, k = made
    known = data.draw(st.lists(st.booleans(), min_size=len(votes), max_size=len(votes)))
    matrix = LabelMatrix.from_votes(votes, class_names(k), gold=["c0" if have else None for have in known])
    chosen = rows_to_label(matrix, 4)
    places = [row.place for row in chosen]
    assert len(set(places)) == len(places) and not any(known[place] for place in places)
    open_rows = openness(smoothed_shares(matrix), matrix.covered)
    done = [votes[place].tolist() for place in np.flatnonzero(known)]
    for row in chosen:
        left = [i for i in range(len(votes)) if not known[i] and i not in places[: chosen.index(row)]]
        left = [i for i in left if matrix.covered[i]] or left
        worth = {i: plain_worth(votes.tolist(), i, open_rows[i], done) for i in left}
        assert abs(row.worth - max(worth.values())) < 1e-9 and abs(worth[row.place] - row.worth) < 1e-9
        done.append(votes[row.place].tolist())


def plain_worth(votes, i, uncertainty, done):
    alike = sum(row == votes[i] for row in votes)
    return uncertainty * alike / (1 + sum(likeness(votes[i], other) for other in done))


def likeness(one, other):
    either = [(a, b) for a, b in zip(one, other, strict=True) if a >= 0 or b >= 0]
    return sum(a == b for a, b in either) / len(either) if either else 1.0


def test_one_pattern_is_not_chosen_again_while_others_are_worth_more():
    votes = [[0, 1, -1, -1]] * 100 + [[-1, -1, 0, 1]] * 90
    chosen = rows_to_label(LabelMatrix.from_votes(votes, ["a", "b"]), 4)
    assert [row.alike for row in chosen] == [100, 90, 100, 90]


def test_the_seed_decides_between_rows_with_the_same_votes():
    matrix = LabelMatrix.from_votes([[0, 1]] * 50, ["a", "b"])
    first, again = rows_to_label(matrix, 5, seed=1), rows_to_label(matrix, 5, seed=1)
    assert first == again and first != rows_to_label(matrix, 5, seed=2)


def test_rows_without_votes_come_only_if_there_are_no_others():
    matrix = LabelMatrix.from_votes([[-1], [-1], [0]], ["a", "b"])
    assert [row.place for row in rows_to_label(matrix, 3)] == [2]
    assert len(rows_to_label(LabelMatrix.from_votes([[-1], [-1]], ["a", "b"]), 3)) == 2


def test_the_table_says_what_was_voted():
    table = read([{"id": "r1", "text": "cash \x1b[31m at home"}, {"id": "r2", "text": None}])
    matrix = apply({"f": keywords("b", ["cash"]), "g": keywords("a", ["home"])}, table, labels=["a", "b"])
    shown = str(next_rows_view(matrix, rows_to_label(matrix, 1)))
    assert "f=b, g=a" in shown and "r1" in shown and "\x1b" not in shown
    assert "no row is left" in str(next_rows_view(matrix, []))
    assert rows_to_label(LabelMatrix.from_votes(np.empty((0, 1), int), ["a", "b"])) == []
