"""From a labeling function of integers, in Snorkel's style, to one of names that everything here takes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from consilience.compat.snorkel.rows import rows_of
from consilience.data.labels import Labels
from consilience.errors import FunctionError
from consilience.labeling.function import Batch, Votes, fingerprint_of
from consilience.labeling.python import PythonFunction

if TYPE_CHECKING:
    from consilience.compat.snorkel.labeling.lf.core import LabelingFunction


def to_consilience(lf: LabelingFunction, labels: Labels | Sequence[str], *, name: str | None = None) -> FromSnorkel:
    """A function in Snorkel's style as a labeling function of Consilience: for cs.apply, lfs.py and all else.

    lf: a labeling function, or a slicing function. labels: the name of each integer, in order; for a slicing function,
        the one label that its rows get.
    name: default the function's own.
    raises: FunctionError for what is no function in Snorkel's style.

    It sees the text column also as `x.text`. A row on which it raises, or says an integer that no label has, is counted
    and abstained on, as with every function here. So is one that it writes to: that is for preprocessors, which get
    copies, so that no function's votes hang on what another has done.

    >>> import consilience as cs
    >>> from consilience.compat.snorkel.labeling import labeling_function
    >>> @labeling_function()
    ... def sells(x):
    ...     return 1 if "$" in x.text else -1
    >>> rows = cs.read([{"text": "only 5 $"}, {"text": "see you"}])
    >>> cs.apply([to_consilience(sells, ["ham", "spam"])], rows).names_of("sells")
    ['spam', None]
    """
    return FromSnorkel(lf, Labels.of(labels), name)


class FromSnorkel(PythonFunction):
    """Made by `to_consilience`: calls the function it was made of, and says the name of what that returns."""

    kind = "snorkel"

    def __init__(self, lf: LabelingFunction, labels: Labels, name: str | None) -> None:
        from consilience.compat.snorkel.labeling.lf.core import LabelingFunction

        if not isinstance(lf, LabelingFunction):
            raise FunctionError(
                f"{getattr(lf, '__name__', lf)!r} is no labeling function in Snorkel's style.\n"
                "Fix: decorate it with @labeling_function() of consilience.compat.snorkel.labeling."
            )
        if lf.says_where and len(labels) != 1:
            raise FunctionError(
                f"The slicing function {lf.name!r} says one label, not {len(labels)}.\n"
                "Fix: to_consilience(function, ['the label'])."
            )
        super().__init__(self._say, tuple(labels), name or lf.name)
        self.lf = lf
        self.description = ((lf.__doc__ or "").strip().splitlines() or [""])[0]
        self.__doc__ = lf.__doc__
        self.__wrapped__ = lf._f  # so that inspect and doctest see the user's own source
        self._names: dict[Any, str | None] = {0: None, 1: labels[0]} if lf.says_where else dict(enumerate(labels))
        self._call = lf.caller()

    def _say(self, row: Any) -> Any:
        code = self._call(row)
        try:
            return None if code < 0 else self._names[code]
        except (KeyError, TypeError):
            return repr(code)  # no label: counted, and shown

    @property
    def fingerprint(self) -> str:
        """Hash of the labels, the code, what it is given, and the preprocessors."""
        return fingerprint_of(self.kind, self.labels, self.lf.fingerprint)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Its votes; rows are made once a batch for all such functions, and only preprocessors can write to them."""
        mine = copy(batch)
        mine.rows = batch.shared("rows in Snorkel's style", lambda: rows_of(batch.columns, read_only=True))
        return super().vote(mine, labels)
