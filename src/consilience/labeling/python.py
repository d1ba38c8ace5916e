"""Labeling functions in plain Python: one row in, a label name (or a set of them, or True, or None) out.

A row on which the function raises is counted, kept with its traceback, and abstained on; the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.rows import Row
from consilience.engines.watch import STOPS, Stopped, watch
from consilience.errors import FunctionError, nearest
from consilience.labeling.fingerprint import code_fingerprint
from consilience.labeling.function import (
    Batch,
    Codes,
    Failure,
    LabelingFunction,
    Votes,
    fingerprint_of,
    short_traceback,
)


class PythonFunction(LabelingFunction):
    """Made by the `@labeling_function` decorator; still callable on one row."""

    kind = "python"
    all_at_once = False

    def __init__(self, function: Callable[[Row], Any], labels: tuple[str, ...] | None, name: str | None) -> None:
        if not callable(function):
            raise FunctionError(f"{function!r} cannot be called.\nFix: decorate a function of one row.")
        self.function = function
        self.labels = labels
        self.name = name or getattr(function, "__name__", None)
        self.description = ((function.__doc__ or "").strip().splitlines() or [""])[0]
        self.__doc__ = function.__doc__
        self.__wrapped__ = function  # so that inspect and doctest see the user's own source

    @property
    def fingerprint(self) -> str:
        """Hash of labels, source code, and the constants and functions the code reads."""
        return fingerprint_of(self.kind, self.labels, code_fingerprint(self.function))

    def __call__(self, row: Row) -> Any:
        """What the function says of one row."""
        return self.function(row)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Call the function on every row. About 0.2 µs a row beside what the function itself takes."""
        answers, failure = _answers(self.function, batch)
        codes, wrong = _encode(answers, _Meanings(self.labels, labels))
        if not wrong:
            return Votes(codes, failure)
        first = Failure(len(wrong), str(batch.ids[wrong[0]]), self._unknown(answers[wrong[0]], labels))
        return Votes(codes, first if failure is None else failure + first)

    def _unknown(self, answer: Any, labels: Labels) -> str:
        fix = nearest(str(answer), self.labels or labels.votes)
        if isinstance(answer, (set, frozenset)):
            answer = sorted(answer, key=repr)  # in the same order each time
            fix = "say that it may give that set, as in @labeling_function('cat', OneOf('cat', 'dog'))."
        return f"LabelError: it returned {answer!r}, which is not one of its labels.\nFix: {fix}"


def labeling_function(*labels: str, name: str | None = None) -> Callable[[Callable[[Row], Any]], PythonFunction]:
    """Decorator: a Python function of one row becomes a labeling function.

    labels: those it may return, with `Not` and `OneOf` of labels among them. With one label it may return True for it;
        a set of labels may be returned as a Python set. None (or False) abstains. With no labels it may return any
        label or group it is applied with.
    raises: FunctionError if the parentheses are missing, or a label is not a name.

    >>> import consilience as cs
    >>> @cs.labeling_function("ham")
    ... def short(row) -> bool:
    ...     return len(row.text) < 5
    >>> cs.apply([short], cs.read([{"text": "hi"}, {"text": "a long text"}])).names_of("short")
    ['ham', None]
    """
    if len(labels) == 1 and callable(labels[0]):
        raise FunctionError(
            f"@labeling_function on {getattr(labels[0], '__name__', labels[0])!r} is missing its parentheses.\n"
            "Fix: write @labeling_function() or @labeling_function('label')."
        )
    for label in labels:
        if not isinstance(label, str) or not label:
            raise FunctionError(
                f"{label!r} cannot be a label.\nFix: give label names, as in @labeling_function('spam')."
            )
    return lambda function: PythonFunction(function, labels or None, name)


def _answers(function: Callable[[Row], Any], batch: Batch) -> tuple[list[Any], Failure | None]:
    """The function's answer on every row; None where it raised or had to be stopped."""
    answers: list[Any] = []
    failure: Failure | None = None
    rows, eye = batch.rows, watch()
    try:
        while len(answers) < len(rows):
            try:
                eye.at(answers)
                for row in rows[len(answers) : len(answers) + eye.every]:
                    answers.append(function(row))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a function that calls sys.exit must not end the run
                shown = short_traceback(error) if failure is None else ""
                here = Failure(1, str(batch.ids[len(answers)]), shown, stops=int(isinstance(error, Stopped)))
                failure = here if failure is None else failure + here
                answers.append(None)
                if failure.stops >= STOPS:
                    break
    finally:
        eye.rest()
    untried = len(rows) - len(answers)
    if failure is not None and untried:
        failure += Failure(untried, failure.first_id, failure.first_error, given_up=True)
    return answers + [None] * untried, failure


class _Meanings(dict[Any, int]):
    """What an answer means, as a code. True means the label of a function that has just one.

    Sets, and other names for the same labels, are looked up when they first come.
    """

    def __init__(self, own: tuple[str, ...] | None, labels: Labels) -> None:
        names = own if own is not None else labels.votes
        codes: dict[Any, int] = {None: ABSTAIN, False: ABSTAIN}
        super().__init__(codes | {name: labels.vote_index(name) for name in names})
        if len(own or ()) == 1:
            self[True] = self[names[0]]
        self.labels, self.allowed = labels, set(self.values())

    def __missing__(self, answer: Any) -> int:
        code = self.labels.find(answer)
        if code is None or code not in self.allowed:
            raise KeyError(answer)
        self[answer] = code
        return code


def _encode(answers: list[Any], meanings: _Meanings) -> tuple[Codes, list[int]]:
    """Codes of answers, and the places of answers that mean nothing (they abstain)."""
    try:
        return np.fromiter(map(meanings.__getitem__, answers), np.int16, len(answers)), []
    except (KeyError, TypeError):
        pass
    known = [_code(answer, meanings) for answer in answers]
    wrong = [place for place, code in enumerate(known) if code is None]
    return np.array([ABSTAIN if code is None else code for code in known], np.int16), wrong


def _code(answer: Any, meanings: _Meanings) -> int | None:
    try:
        return meanings[frozenset(answer) if isinstance(answer, set) else answer]
    except (KeyError, TypeError):  # a wrong answer; one that cannot be hashed: a list, say
        return None
