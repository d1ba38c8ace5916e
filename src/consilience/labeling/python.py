"""Labeling functions in plain Python: one row in, a label name (or a set of them, or True, or None) out.

A row on which the function raises is counted, kept with its traceback, and abstained on; the run goes on. A function
of a whole batch gets a frame and gives a column of answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.rows import Row
from consilience.engines.watch import STOPS, Moved, Stopped, watch
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
from consilience.labeling.preprocessors import Preprocessor, checked_uses, fingerprints, frame_using, rows_using


class PythonFunction(LabelingFunction):
    """Made by the `@labeling_function` decorator; still callable on one row."""

    kind = "python"
    all_at_once = False

    def __init__(
        self,
        function: Callable[[Any], Any],
        labels: tuple[str, ...] | None,
        name: str | None,
        uses: Sequence[Preprocessor] = (),
        batch: bool = False,
    ) -> None:
        if not callable(function):
            raise FunctionError(f"{function!r} cannot be called.\nFix: decorate a function of one row.")
        self.function = function
        self.labels = labels
        self.name = name or getattr(function, "__name__", None)
        self.uses = checked_uses(uses)
        self.batch = batch
        self.description = ((function.__doc__ or "").strip().splitlines() or [""])[0]
        self.__doc__ = function.__doc__
        self.__wrapped__ = function  # so that inspect and doctest see the user's own source

    @property
    def fingerprint(self) -> str:
        """Hash of labels, source code, the constants and functions the code reads, and the preprocessors it uses."""
        more = [*([fingerprints(self.uses)] if self.uses else []), *(["batch"] if self.batch else [])]
        return fingerprint_of(self.kind, self.labels, code_fingerprint(self.function), *more)

    @property
    def fingerprint_parts(self) -> tuple[Any, ...]:
        """What it is made of, where another function calls it."""
        return (self.function, self.uses)

    def __call__(self, given: Any) -> Any:
        """What the function says of one row, or of one frame if it is a function of batches."""
        return self.function(given)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Call the function on every row. About 0.2 µs a row beside what the function itself takes."""
        answers, failure = self._of_frame(batch) if self.batch else self._of_rows(batch)
        codes, wrong = _encode(answers, _Meanings(self.labels, labels))
        if not wrong:
            return Votes(codes, failure)
        first = Failure(len(wrong), str(batch.ids[wrong[0]]), self._unknown(answers[wrong[0]], labels))
        return Votes(codes, first if failure is None else failure + first)

    def _of_rows(self, batch: Batch) -> tuple[list[Any], Failure | None]:
        """Its answer on every row; None where it raised, or where what it uses could not be made."""
        rows, broken = rows_using(batch, self.uses)
        if not broken:
            return _answers(self.function, rows, batch.ids)
        good = [place for place in range(len(rows)) if place not in broken]
        said, failure = _answers(self.function, [rows[place] for place in good], batch.ids[good])
        answers: list[Any] = [None] * len(rows)
        for place, answer in zip(good, said, strict=True):
            answers[place] = answer
        return answers, _unmade(broken, batch) + failure

    def _of_frame(self, batch: Batch) -> tuple[list[Any], Failure | None]:
        """Its answers on a batch; None on all rows if it raised or gave no such column."""
        frame, broken = frame_using(batch, self.uses)
        answers: list[Any] = [None] * len(batch)
        failure = _unmade(broken, batch) if broken else None
        good = [place for place in range(len(batch)) if place not in broken]
        if not good:
            return answers, failure
        try:
            given = frame[good] if broken else frame
            watch().many(len(good))
            for place, answer in zip(good, _column(self.function(given), given), strict=True):
                answers[place] = answer
        except (KeyboardInterrupt, Stopped, Moved):
            raise
        except BaseException as error:
            here = Failure(len(good), str(batch.ids[good[0]]), short_traceback(error))
            failure = here if failure is None else failure + here
        finally:
            watch().rest()
        return answers, failure

    def _unknown(self, answer: Any, labels: Labels) -> str:
        fix = nearest(str(answer), self.labels or labels.votes)
        if isinstance(answer, (set, frozenset)):
            answer = sorted(answer, key=repr)  # in the same order each time
            fix = "say that it may give that set, as in @labeling_function('cat', OneOf('cat', 'dog'))."
        return f"LabelError: it returned {answer!r}, which is not one of its labels.\nFix: {fix}"


def labeling_function(
    *labels: str, name: str | None = None, uses: Sequence[Preprocessor] = (), batch: bool = False
) -> Callable[[Callable[[Any], Any]], PythonFunction]:
    """Decorator: a Python function of one row becomes a labeling function.

    labels: those it may return, with `Not` and `OneOf` of labels among them. With one label it may return True for it;
        a set of labels may be returned as a Python set. None (or False) abstains. With no labels it may return any
        label or group it is applied with.
    uses: preprocessors, whose values it sees as attributes of the row (as columns, if it is a function of batches).
    batch: it gets a Polars frame of some of the rows, the text column also as "text", and returns an answer a row: a
        Series, an array, a list, or a Polars expression. What it says of a row must not depend on the others in the
        batch, since nobody promises how rows are cut into batches. If it raises, that counts for the whole batch.
    raises: FunctionError if the parentheses are missing, or a label is not a name.

    >>> import consilience as cs
    >>> @cs.labeling_function("ham")
    ... def short(row) -> bool:
    ...     return len(row.text) < 5
    >>> cs.apply([short], cs.read([{"text": "hi"}, {"text": "a long text"}])).names_of("short")
    ['ham', None]
    >>> @cs.labeling_function("spam", batch=True)
    ... def loud(frame):
    ...     return frame["text"].str.count_matches("[A-Z]") > 3
    >>> cs.apply([loud], cs.read([{"text": "FREE cash"}, {"text": "Hi"}])).names_of("loud")
    ['spam', None]
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
    return lambda function: PythonFunction(function, labels or None, name, uses, batch)


def _answers(function: Callable[[Row], Any], rows: Sequence[Row], ids: pl.Series) -> tuple[list[Any], Failure | None]:
    """The function's answer on every row; None where it raised or had to be stopped."""
    answers: list[Any] = []
    failure: Failure | None = None
    eye = watch()
    try:
        while len(answers) < len(rows):
            try:
                eye.at(answers)
                block = rows[len(answers) : len(answers) + eye.every]
                expected = len(answers) + len(block)
                answers.extend(map(function, block))  # it keeps the answers before an error
                if len(answers) < expected:
                    raise RuntimeError("the function raised StopIteration")  # which only ends a map
            except (KeyboardInterrupt, Moved):
                raise
            except BaseException as error:  # a function that calls sys.exit must not end the run
                eye.rest()  # what it raised just before its time was up is an error, and the clock must not ring here
                shown = short_traceback(error) if failure is None else ""
                here = Failure(1, str(ids[len(answers)]), shown, stops=int(isinstance(error, Stopped)))
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


def _column(said: Any, frame: pl.DataFrame) -> list[Any]:
    """What a function of batches gave, as a list of answers. Raises FunctionError if it is not one answer a row."""
    if isinstance(said, pl.Expr):
        said = frame.select(said=said)["said"]
    if isinstance(said, pl.Series) or hasattr(said, "to_list"):  # pandas
        answers = said.to_list()
    elif isinstance(said, np.ndarray):
        answers = said.tolist() if said.ndim == 1 else said
    else:
        answers = list(said) if isinstance(said, (list, tuple)) else said
    if not isinstance(answers, list) or len(answers) != len(frame):
        size = f" of {len(answers)}" if isinstance(answers, list) else ""
        size = f" of shape {said.shape}" if hasattr(said, "shape") else size
        raise FunctionError(
            f"It gave a {type(said).__name__}{size} for a batch of {len(frame)} rows.\n"
            "Fix: return a Series, an array or a list with one answer a row."
        )
    return answers


def _unmade(broken: dict[int, str], batch: Batch) -> Failure:
    """The rows on which a preprocessor raised, as a failure of the function that uses it."""
    first, text = next(iter(broken.items()))
    return Failure(len(broken), str(batch.ids[first]), text)


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
