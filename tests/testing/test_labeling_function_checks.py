"""The checks of labeling functions find those that break a law."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.labeling.function import LabelingFunction, Votes, fingerprint_of
from consilience.testing import check_labeling_function

TABLE = cs.read(
    [{"id": n, "text": f"{'free' if n % 3 else 'hi'} {n}", "y": "spam" if n % 2 else None} for n in range(24)],
    gold="y",
    labels=["ham", "spam"],
)


class Fair(LabelingFunction):
    """Says spam of every text with "free" in it."""

    kind = "fair"

    def __init__(self):
        self.name, self.labels, self.description = None, ("spam",), ""

    @property
    def fingerprint(self):
        return fingerprint_of(self.kind)

    def vote(self, batch, labels):
        return self.votes(batch, batch.text(None).str.contains("free").fill_null(False).to_numpy(), labels)

    def votes(self, batch, holds, labels):
        return Votes(np.where(holds, labels.vote_index("spam"), -1).astype(np.int16))


class SaysAnotherLabel(Fair):
    def votes(self, batch, holds, labels):
        return Votes(np.where(holds, 0, -1).astype(np.int16))


class WideCodes(Fair):
    def votes(self, batch, holds, labels):
        return Votes(np.where(holds, 1, -1))


class LooksAtTheBatch(Fair):
    def votes(self, batch, holds, labels):
        return super().votes(batch, holds & (holds.sum() < 0.9 * len(holds)), labels)


class CountsRows(Fair):
    def votes(self, batch, holds, labels):
        return super().votes(batch, holds & (np.arange(len(holds)) % 2 == 0), labels)


class NeedsRows(Fair):
    def votes(self, batch, holds, labels):
        assert batch.ids[0] is not None
        return super().votes(batch, holds, labels)


class Forgets(Fair):
    calls = 0

    def votes(self, batch, holds, labels):
        self.calls += 1
        return super().votes(batch, holds & (self.calls % 2 == 0), labels)


class NamesItself(Fair):
    @property
    def fingerprint(self):
        return fingerprint_of(self.kind, self.name)


class Fills(Fair):
    def __init__(self):
        super().__init__()
        self.seen = set()

    @property
    def fingerprint(self):
        return fingerprint_of(self.kind, len(self.seen))

    def votes(self, batch, holds, labels):
        self.seen.update(batch.ids.to_list())
        return super().votes(batch, holds, labels)


class BreaksOnNothing(Fair):
    def vote(self, batch, labels):
        return self.votes(batch, np.array(["free" in text for text in batch.text(None)]), labels)


def test_a_fair_one_passes():
    check_labeling_function(Fair(), TABLE)


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (SaysAnotherLabel, "not among its labels"),
        (WideCodes, "not an int16 array"),
        (LooksAtTheBatch, "in batches of"),
        (CountsRows, "in batches of|order of rows"),
        (NeedsRows, "On a table without rows"),
        (Forgets, "votes|say the same"),
        (NamesItself, "name changes the fingerprint"),
        (Fills, "voting changes the fingerprint"),
        (BreaksOnNothing, "of odd characters"),
    ],
)
def test_each_law_is_found_broken(kind, law):
    with pytest.raises(AssertionError, match=law):
        check_labeling_function(kind(), TABLE)


def test_one_that_depends_on_its_neighbours_may_say_so():
    check_labeling_function(CountsRows(), TABLE.take(range(0)), check_batches=False)
