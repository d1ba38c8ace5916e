"""Several questions asked of each row, whose answers depend on one another: made into one set of labels with groups.

A row's label is a combination of answers, and "role=doctor" is a group: the combinations with that answer. A function
votes on one question, and every label model learns all questions jointly without knowing of them.
Source: Ratner et al. 2019 (MeTaL: multi-task label matrices with a task graph).
Departs: a rule is any statement of which combinations are feasible, not only a tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy.typing as npt
import polars as pl

from consilience.data.labels import Labels
from consilience.errors import LabelError, nearest

Rules = Mapping[str, Mapping[str, Mapping[str, str | Sequence[str]]]]
Feasible = Rules | Callable[[dict[str, str]], bool] | Iterable[Sequence[str] | Mapping[str, str]] | None
MOST = 500  # combinations: models keep a table row for each
MOST_TRIED = 200_000  # combinations a rule is asked about


class TaskGraph:
    """Tasks that are labeled together, because an answer to one says something of the others.

    tasks: the labels of each task. feasible: which combinations of answers there can be, one of
        rules: {"role": {"doctor": {"person": "yes"}}}: a doctor is a person; several answers may be given in a list;
        a function that is given a combination as a dict and says whether it is feasible;
        the feasible combinations themselves, as tuples in the order of the tasks, or as dicts.
    labels: Labels to apply functions with. A function votes "role=doctor", Not("role=doctor"), or a combination.
    combinations: what each of the labels means, as a dict.
    raises: LabelError where an answer is in no feasible combination or in all, fewer than two combinations are
        feasible, or more than 500.

    >>> import consilience as cs
    >>> graph = TaskGraph(
    ...     {"person": ["yes", "no"], "role": ["doctor", "lawyer", "none"]},
    ...     {"role": {"doctor": {"person": "yes"}, "lawyer": {"person": "yes"}}},
    ... )
    >>> list(graph.labels)[:2], len(graph.labels)
    (['person=yes, role=doctor', 'person=yes, role=lawyer'], 4)
    >>> rows = cs.read([{"text": "Dr Smith writes"}, {"text": "rain"}], labels=graph.labels)
    >>> matrix = cs.apply({"title": cs.pattern("role=doctor", "Dr "), "it": cs.keywords("person=no", ["rain"])}, rows)
    >>> graph.task_probabilities(cs.MajorityVote().fit(matrix).predict_proba(matrix))["person"]["yes"].to_list()
    [1.0, 0.0]
    """

    def __init__(self, tasks: Mapping[str, Iterable[str]], feasible: Feasible = None) -> None:
        self.tasks = {_task_name(name): Labels.of(answers).plain for name, answers in tasks.items()}
        if len(self.tasks) < 2:
            raise LabelError(
                f"{len(self.tasks)} tasks do not depend on one another.\nFix: give two or more, or Labels."
            )
        self.combinations = tuple(dict(zip(self.tasks, each, strict=True)) for each in self._feasible(feasible))
        self._check()
        names = [", ".join(f"{task}={answer}" for task, answer in each.items()) for each in self.combinations]
        groups = {
            (task, answer): [name for name, each in zip(names, self.combinations, strict=True) if each[task] == answer]
            for task, answers in self.tasks.items()
            for answer in answers
        }
        named = {f"{task}={answer}": members for (task, answer), members in groups.items()}
        if len(named) < len(groups):
            raise LabelError("Two answers are both called the same, as 'a=b=c'.\nFix: leave = out of the names.")
        self.labels = Labels(*names, groups=named)

    def name_of(self, combination: Mapping[str, str]) -> str:
        """The label that a combination of answers is called; for gold, say. Raises LabelError for an infeasible one.

        >>> TaskGraph({"a": ["0", "1"], "b": ["0", "1"]}).name_of({"b": "1", "a": "0"})
        'a=0, b=1'
        """
        if combination not in self.combinations:
            raise LabelError(f"{dict(combination)} is no feasible combination.\nFix: see the graph's combinations.")
        return self.labels[self.combinations.index(dict(combination))]

    def task_probabilities(self, proba: npt.ArrayLike) -> dict[str, pl.DataFrame]:
        """Probability of each answer to each task.

        proba: (n, k) over combinations, as label models give it. returns: by task, n rows and a column for each answer.
        """
        mass = self.labels.group_probability(proba)
        return {
            task: mass.select(pl.col(f"{task}={answer}").alias(answer) for answer in answers)
            for task, answers in self.tasks.items()
        }

    def task_labels(self, names: Iterable[str | None]) -> pl.DataFrame:
        """The answers that combinations consist of. names: as models predict them. returns: a column for each task.

        >>> TaskGraph({"a": ["0", "1"], "b": ["0", "1"]}).task_labels(["a=0, b=1", None]).rows()
        [('0', '1'), (None, None)]
        """
        found = [{} if name is None else self.combinations[self.labels.index(name)] for name in names]
        return pl.DataFrame(
            {task: pl.Series([each.get(task) for each in found], dtype=pl.String) for task in self.tasks}
        )

    def _feasible(self, feasible: Feasible) -> Iterator[tuple[str, ...]]:
        """The feasible combinations, in order of the answers."""
        if feasible is None or isinstance(feasible, Mapping) or callable(feasible):
            tried = math.prod(map(len, self.tasks.values()))
            if tried > MOST_TRIED:
                raise LabelError(
                    f"The tasks have {tried:,} combinations, too many to ask a rule about each.\n"
                    "Fix: give the feasible combinations as a list."
                )
            holds = self._rule(feasible)
            return (each for each in product(*self.tasks.values()) if holds(dict(zip(self.tasks, each, strict=True))))
        given = {self._given(each) for each in feasible}
        codes = [labels.index for labels in self.tasks.values()]
        return iter(sorted(given, key=lambda each: [code(answer) for code, answer in zip(codes, each, strict=True)]))

    def _given(self, each: Any) -> tuple[str, ...]:
        """A feasible combination that the user wrote down."""
        if isinstance(each, str) or not isinstance(each, (Mapping, Sequence)) or len(each) != len(self.tasks):
            raise LabelError(f"{each!r} is no combination of {list(self.tasks)}.\nFix: give each task one answer.")
        answers: tuple[Any, ...]
        answers = tuple(each.get(task) for task in self.tasks) if isinstance(each, Mapping) else tuple(each)
        for labels, answer in zip(self.tasks.values(), answers, strict=True):
            labels.index(answer)
        return answers

    def _rule(self, feasible: Any) -> Callable[[dict[str, str]], bool]:
        """What says whether a combination is feasible."""
        if feasible is None:
            return lambda combination: True
        if callable(feasible):
            return feasible
        needs = [
            (task, answer, other, self._answers(other, allowed))
            for task, answers in _rules(feasible)
            for answer, conditions in _rules(answers)
            for other, allowed in _rules(conditions)
            if self._answers(task, answer)
        ]
        return lambda each: all(
            each[task] != answer or each[other] in allowed for task, answer, other, allowed in needs
        )

    def _answers(self, task: str, allowed: str | Sequence[str]) -> set[str]:
        """Answers a rule names. Raises LabelError for a task or an answer there is not."""
        if task not in self.tasks:
            raise LabelError(f"A rule names the task {task!r}, which is none.\nFix: {nearest(task, self.tasks)}")
        names = {allowed} if isinstance(allowed, str) else set(allowed)
        for name in names:
            self.tasks[task].index(name)
        return names

    def _check(self) -> None:
        """Raise LabelError if the feasible combinations leave nothing to learn, or too much."""
        n = len(self.combinations)
        if n < 2:
            only = f"only {self.combinations[0]} is feasible" if n else "none is feasible"
            raise LabelError(f"Of the combinations {only}.\nFix: relax the rules.")
        if n > MOST:
            raise LabelError(
                f"The tasks have {n:,} feasible combinations; models learn a table row for each, at most {MOST}.\n"
                "Fix: give rules that leave fewer, merge labels, or fit tasks that hardly depend on one another apart."
            )
        for task, labels in self.tasks.items():
            for answer in labels:
                found = sum(each[task] == answer for each in self.combinations)
                if found in (0, n):
                    which = "No feasible combination has" if found == 0 else "Every feasible combination has"
                    raise LabelError(f"{which} {task}={answer!r}.\nFix: drop that label or task, or relax the rules.")

    def __repr__(self) -> str:
        tasks = "; ".join(f"{task}: {', '.join(labels)}" for task, labels in self.tasks.items())
        return f"TaskGraph({tasks}; {len(self.combinations)} feasible combinations)"


def _rules(rules: Any) -> Iterable[tuple[str, Any]]:
    """What a level of the rules says, by name."""
    if not isinstance(rules, Mapping):
        raise LabelError(f"{rules!r} is no rule.\nFix: write it as {{'role': {{'doctor': {{'person': 'yes'}}}}}}.")
    return rules.items()


def _task_name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise LabelError(f"{name!r} cannot be a task.\nFix: give tasks names.")
    return name
