"""Labeling functions in Snorkel's style: a data point in, an integer out; -1 (or any other below 0) abstains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from consilience.compat.snorkel.map.core import BaseMapper, check_parentheses, contents_fingerprint
from consilience.compat.snorkel.types import DataPoint
from consilience.errors import FunctionError


class LabelingFunction:
    """A function of one data point that says a class, as an integer, or abstains.

    resources: passed to f as keyword arguments. pre: preprocessors to run on the data point first, in order.

    >>> from types import SimpleNamespace
    >>> cheap = LabelingFunction("cheap", lambda x, most: 1 if x.price <= most else -1, resources={"most": 5})
    >>> cheap(SimpleNamespace(price=3))
    1
    """

    says_where: ClassVar[bool] = False  # it says yes or no, as slicing functions do, not a class

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        resources: Mapping[str, Any] | None = None,
        pre: Sequence[BaseMapper] | None = None,
    ) -> None:
        self.name = name
        self._f = f
        self._resources = dict(resources or {})
        self._pre = list(pre or [])
        self.__doc__ = f.__doc__

    def _preprocess_data_point(self, x: DataPoint) -> DataPoint:
        for mapper in self._pre:
            x = mapper(x)
            if x is None:
                raise FunctionError(
                    f"The preprocessor {mapper.name!r} of {self.name!r} returned None.\nFix: return x from it."
                )
        return x

    def __call__(self, x: DataPoint) -> Any:
        """What it says of one data point, after its preprocessors."""
        return self._f(self._preprocess_data_point(x), **self._resources)

    def caller(self) -> Callable[[DataPoint], Any]:
        """What to call on many data points: itself, or something shorter that says the same."""
        if self._pre or type(self).__call__ is not LabelingFunction.__call__:
            return self
        return partial(self._f, **self._resources) if self._resources else self._f

    @property
    def fingerprint(self) -> str:
        """Hash of its code, its resources and its preprocessors."""
        return contents_fingerprint(self, self._f, self._resources, self._pre, type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.name}, Preprocessors: {self._pre}"


class labeling_function:
    """Decorator: a function of one data point becomes a LabelingFunction.

    >>> @labeling_function()
    ... def asks(x):
    ...     return 0 if x.text.endswith("?") else -1
    >>> asks
    LabelingFunction asks, Preprocessors: []
    """

    makes: type[LabelingFunction] = LabelingFunction

    def __init__(
        self,
        name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        pre: Sequence[BaseMapper] | None = None,
    ) -> None:
        check_parentheses(self, name)
        self.name, self.resources, self.pre = name, resources, pre

    def __call__(self, f: Callable[..., Any]) -> LabelingFunction:
        """The labeling function that runs f."""
        return self.makes(self.name or f.__name__, f, self.resources, self.pre)
