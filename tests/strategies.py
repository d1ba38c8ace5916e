"""What hypothesis draws from: vote matrices, texts, phrases, rows that may be broken. Small, so that laws are quick."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Votes = npt.NDArray[np.int64]

LETTERS = "abAB é_1"
TEXT = st.text(alphabet=LETTERS + "$.-#()\t\n\u00a0", max_size=24)
PHRASE = st.text(alphabet=LETTERS + "$.-#(", min_size=1, max_size=6).filter(lambda phrase: phrase.strip() != "")


@st.composite
def vote_matrices(
    draw: st.DrawFn, *, max_rows: int = 12, max_functions: int = 6, max_classes: int = 4, min_rows: int = 1
) -> tuple[Votes, int]:
    """Votes (n, m) and the number of classes."""
    n_classes = draw(st.integers(1, max_classes))
    shape = (draw(st.integers(min_rows, max_rows)), draw(st.integers(1, max_functions)))
    votes = draw(hnp.arrays(np.int64, shape, elements=st.integers(-1, n_classes - 1)))
    return votes, n_classes


@st.composite
def wide_votes(draw: st.DrawFn) -> tuple[Votes, int]:
    """Votes of so many functions and classes that a row needs several 64-bit words, with rows that repeat."""
    n_classes, m = draw(st.integers(1, 9)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distinct = rng.integers(-1, n_classes, (draw(st.integers(1, 8)), m))
    return distinct[rng.integers(0, len(distinct), draw(st.integers(1, 40)))], n_classes


@st.composite
def partial_votes(draw: st.DrawFn) -> tuple[Votes, list[set[int]], int]:
    """Votes for classes and for sets of them, what each vote allows, and the number of classes."""
    k = draw(st.integers(2, 4))
    subsets = st.sets(st.integers(0, k - 1), min_size=1, max_size=k - 1)
    groups = draw(st.lists(subsets, min_size=1, max_size=3, unique_by=frozenset))
    shape = (draw(st.integers(1, 8)), draw(st.integers(1, 3)))
    votes = draw(hnp.arrays(np.int64, shape, elements=st.integers(-1, k + len(groups) - 1)))
    return votes, [{y} for y in range(k)] + groups, k


def class_names(n_classes: int) -> list[str]:
    """Labels for a number of classes."""
    return [f"c{code}" for code in range(n_classes)]


RECORDS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.none() | st.sampled_from(["a", "b", "c", "d", "e"]),
            "text": st.none() | st.text(max_size=5),
            "y": st.sampled_from([None, "ham", "spam"]),
        }
    ),
    min_size=1,
    max_size=12,
)
