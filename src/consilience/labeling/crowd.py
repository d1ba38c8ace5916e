"""People as labeling functions: a long table of who said what of which item becomes one function a worker.

Reads answers (item, worker, label), writes functions to apply beside others, or a label matrix at once. An answer that
cannot count is set aside with its reason, as rows are in data/read.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.table import Reject, Table
from consilience.labeling.answers import numbers_again, read_answers, read_truth
from consilience.labeling.function import Batch, LabelingFunction, Votes, fingerprint_of
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type


class CrowdWorker(LabelingFunction):
    """What one worker answered, item by item. Made by `crowd`."""

    kind = "crowd worker"

    def __init__(self, name: str, answers: Mapping[str, str], labels: Labels, column: str | None = None) -> None:
        self.name = name
        self.answers = dict(answers)
        self.labels = labels.votes
        self.column = column
        self.description = f"{len(self.answers)} answers of worker {name}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the answers, whatever their order."""
        return fingerprint_of(self.kind, self.column, sorted(self.answers.items()))

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """The answers to the items that the rows are; the worker abstains on the others. O(rows)."""
        rows = batch.ids.cast(pl.String) if self.column is None else batch.text(self.column)
        codes = {item: labels.vote_index(said) for item, said in self.answers.items()}
        return Votes(rows.replace_strict(codes, default=ABSTAIN, return_dtype=pl.Int16).to_numpy())


class Crowd(Sequence[CrowdWorker]):
    """One labeling function a worker, in the order of their first answers. Made by `crowd`.

    labels: what they may say. rejects: the answers that were set aside, each with its line and why.
    """

    def __init__(self, workers: Sequence[CrowdWorker], labels: Labels, rejects: Sequence[Reject]) -> None:
        self.workers = tuple(workers)
        self.labels = labels
        self.rejects = tuple(rejects)

    @overload
    def __getitem__(self, place: int) -> CrowdWorker: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[CrowdWorker]: ...
    def __getitem__(self, place: int | slice) -> CrowdWorker | Sequence[CrowdWorker]:
        return self.workers[place]

    def __len__(self) -> int:
        return len(self.workers)

    def __repr__(self) -> str:
        answers = [worker.answers for worker in self.workers]
        items = len({item for said in answers for item in said})
        aside = f", {len(self.rejects)} set aside" if self.rejects else ""
        return (
            f"Crowd({len(self)} workers, {sum(map(len, answers))} answers on {items} items{aside}; "
            f"labels {', '.join(self.labels)})"
        )


def crowd(
    answers: Any,
    *,
    item: str = "item",
    worker: str = "worker",
    label: str = "label",
    labels: Labels | Sequence[str] | None = None,
    column: str | None = None,
) -> Crowd:
    """Labeling functions, one a worker, that repeat what the workers answered.

    answers: one row an answer: a pandas, Polars or Arrow table, a list of dicts, or the path of any file `read` reads.
    item, worker, label: its columns. labels: what may be said, sets of labels included; default all that is said.
    column: the column of the rows labelled that names the item; default their id.
    returns: a sequence of functions named after the workers, for `apply`. `.rejects` has the answers set aside: without
        item, worker or label, with a label that is none, or not a worker's first to an item.
    raises: DataError if there is no such file or column, or no answer is left.

    O(answers); to apply, O(rows) a worker. For answers alone, without rows or other functions, see `crowd_matrix`.

    >>> import consilience as cs
    >>> answers = [{"item": 1, "worker": "ann", "label": "spam"}, {"item": 2, "worker": "ann", "label": "ham"},
    ...            {"item": 1, "worker": "bob", "label": "spam"}, {"item": 2, "worker": "bob", "label": None}]
    >>> workers = crowd(answers)
    >>> workers, workers.rejects[0].reason
    (Crowd(2 workers, 3 answers on 2 items, 1 set aside; labels ham, spam), 'no label')
    >>> table = cs.read([{"id": 1, "text": "free"}, {"id": 2, "text": "hello"}, {"id": 3, "text": "free!"}])
    >>> matrix = cs.apply([*workers, cs.keywords("spam", ["free"], name="free")], table)
    >>> matrix.names, matrix.votes.tolist()
    (['ann', 'bob', 'free'], [[1, 1, 1], [0, -1, -1], [-1, -1, 1]])
    """
    read = read_answers(answers, (item, worker, label), labels)
    by_worker: dict[str, dict[str, str]] = {}
    for what, who, said in read.frame.select("item", "worker", "label").iter_rows():
        by_worker.setdefault(who, {})[what] = said
    workers = [CrowdWorker(name, said, read.labels, column) for name, said in by_worker.items()]
    return Crowd(workers, read.labels, read.rejects)


def crowd_matrix(
    answers: Any,
    *,
    item: str = "item",
    worker: str = "worker",
    label: str = "label",
    labels: Labels | Sequence[str] | None = None,
    gold: Any = None,
    truth: str = "truth",
) -> LabelMatrix:
    """The label matrix of a crowd's answers: a row an item, a function a worker.

    answers, item, worker, label: as for `crowd`. labels: default all that answers and gold say.
    gold: what is known: a mapping of items to labels, or rows as for answers, with columns `item` and `truth`. An item
        that has gold but no answer is a row nobody voted on.
    returns: a LabelMatrix whose ids are the items, in the order of their first answers; `.table.rejects` has what was
        set aside, as for `crowd`. Models with abstains="ignored" are made for such votes.
    raises: DataError if there is no such file or column, no answer is left, or gold is not one of the labels.

    O(answers) time, and a byte an item and worker.

    >>> answers = [{"item": "a", "worker": w, "label": said} for w, said in enumerate(["cat", "cat", "dog"])]
    >>> matrix = crowd_matrix(answers, gold={"a": "cat", "b": "dog"})
    >>> matrix
    LabelMatrix(2 rows x 3 functions, 50.0% covered; labels cat, dog)
    >>> matrix.votes.tolist(), matrix.gold.tolist()
    ([[0, 0, 1], [-1, -1, -1]], [0, 1])
    """
    known, bad_gold = read_truth(gold, item, truth)
    read = read_answers(answers, (item, worker, label), labels, also=known.values())
    items = list(dict.fromkeys([*read.items, *known]))
    workers = read.frame["worker"].unique(maintain_order=True).to_list()
    votes = np.full((len(items), len(workers)), ABSTAIN, vote_type(len(read.labels.votes)), order="F")
    rows, columns = _places(read.frame["item"], items), _places(read.frame["worker"], workers)
    votes[rows, columns] = read.labels.codes_of(read.frame["label"])
    frame = pl.DataFrame({"id": numbers_again(items)})
    if known:
        frame = frame.with_columns(pl.Series("gold", [known.get(name) for name in items], pl.String))
    rejects = [*read.rejects, *bad_gold]
    table = Table(frame, text=None, gold="gold" if known else None, labels=read.labels, unit="item", rejects=rejects)
    infos = [FunctionInfo(name, CrowdWorker.kind, read.labels.votes, f"answers of worker {name}") for name in workers]
    return LabelMatrix(votes, read.labels, table.ids, infos, table.gold_codes(read.labels), table)


def _places(names: pl.Series, among: Sequence[str]) -> npt.NDArray[np.int64]:
    """Where each name stands in a list. returns: (n,)."""
    return names.replace_strict(list(among), range(len(among)), return_dtype=pl.Int64).to_numpy()
