"""Mappers: a data point in, a changed copy of it out, remembered if one asks for that. Run before labeling functions.

A memo is kept by what the data point says (all its values, and attributes that mappers before it have set), or by
`memoize_key(x)`; it grows until `reset_cache`.

Departs from Snorkel's: what is remembered is copied before a mapper changes it. There, a transformation function with a
memoized preprocessor changes the memo, and the next copy of that row starts from the changed one.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from consilience.compat.snorkel.rows import copy_of, point_key
from consilience.compat.snorkel.types import DataPoint, FieldMap, HashingFunction
from consilience.errors import FunctionError
from consilience.labeling.fingerprint import code_fingerprint
from consilience.labeling.function import fingerprint_of

MapFunction = Callable[[DataPoint], DataPoint | None]
FORGOTTEN = ("_cache", "_memoize_key", "memoize", "name")  # of a mapper: what does not decide what it gives


def get_parameters(f: Callable[..., Any], allow_args: bool = False, allow_kwargs: bool = False) -> list[str]:
    """Names of a function's parameters. Raises FunctionError (a ValueError) for *args or **kwargs unless allowed."""
    spec = inspect.getfullargspec(f)
    for star, allowed in ((spec.varargs, allow_args), (spec.varkw, allow_kwargs)):
        if star is not None and not allowed:
            raise FunctionError(
                f"{f.__name__} takes *{star}, so its fields are not known.\nFix: name its parameters as the fields."
            )
    return spec.args


def get_hashable(obj: Any) -> Hashable:
    """What tells a data point from others: its values, as something that can be hashed.

    >>> from types import SimpleNamespace
    >>> get_hashable(SimpleNamespace(n=[1, 2])) == get_hashable(SimpleNamespace(n=[1, 2]))
    True
    """
    key: Hashable = point_key(obj)
    return key


class BaseMapper(ABC):
    """What all mappers are: called on a data point, they give a changed copy, or None.

    pre: mappers to run first. memoize: remember what came out. memoize_key: by what, default `get_hashable`.
    """

    def __init__(
        self,
        name: str,
        pre: Sequence[BaseMapper],
        memoize: bool,
        memoize_key: HashingFunction | None = None,
    ) -> None:
        self.name = name
        self._pre = list(pre)
        self._memoize_key = memoize_key or get_hashable
        self.memoize = memoize
        self.reset_cache()

    def reset_cache(self) -> None:
        """Forget what came out."""
        self._cache: dict[Hashable, DataPoint | None] = {}

    @abstractmethod
    def _generate_mapped_data_point(self, x: DataPoint) -> DataPoint | None:
        """Change the copy."""

    def _mapped(self, x: DataPoint) -> DataPoint | None:
        twin = copy_of(x)
        for mapper in self._pre:
            twin = mapper(twin)
            if mapper.memoize:
                twin = copy_of(twin)  # what is remembered is not to be changed
        return self._generate_mapped_data_point(twin)

    def __call__(self, x: DataPoint) -> DataPoint | None:
        """A changed copy of a data point; the same one again where it is remembered."""
        if not self.memoize:
            return self._mapped(x)
        key = self._memoize_key(x)
        try:
            return self._cache[key]
        except KeyError:
            pass
        self._cache[key] = mapped = self._mapped(x)
        return mapped

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides what it gives: its code, its settings, and the mappers before it."""
        settings = {name: value for name, value in vars(self).items() if name not in FORGOTTEN}
        code = (type(self), getattr(type(self), "run", None))
        return contents_fingerprint(self, settings, *code)

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to other processes: all but the memo."""
        return self.__dict__ | {"_cache": {}}

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.name}, Pre: {self._pre}"


_asked: ContextVar[frozenset[int]] = ContextVar("consilience_snorkel_fingerprints", default=frozenset())


def contents_fingerprint(owner: object, *parts: Any) -> str:
    """Hash of what a mapper or function is made of, going into functions and containers.

    owner: asked again on the way (a function may read a global of its own name), it counts no more.
    """
    if id(owner) in _asked.get():
        return "again"
    token = _asked.set(_asked.get() | {id(owner)})
    try:
        return fingerprint_of(*(code_fingerprint(lambda contents=part: contents) for part in parts))
    finally:
        _asked.reset(token)


class Mapper(BaseMapper):
    """A mapper whose `run` gets fields of the data point and returns new fields, as a dict; None: not mapped.

    field_names: from fields to parameters, as {"text": "body"} where `run(self, text)` is to get x.body; default: by
    their own names. mapped_field_names: from keys of what `run` returns to names of fields.

    >>> class Count(Mapper):
    ...     def run(self, text):
    ...         return {"n_words": len(text.split())}
    >>> from types import SimpleNamespace
    >>> Count("count")(SimpleNamespace(text="to be or not")).n_words
    4
    """

    def __init__(
        self,
        name: str,
        field_names: Mapping[str, str] | None = None,
        mapped_field_names: Mapping[str, str] | None = None,
        pre: Sequence[BaseMapper] | None = None,
        memoize: bool = False,
        memoize_key: HashingFunction | None = None,
    ) -> None:
        if field_names is None:
            field_names = {name: name for name in get_parameters(self.run)[1:]}
        self.field_names = field_names
        self.mapped_field_names = mapped_field_names
        super().__init__(name, pre or [], memoize, memoize_key)

    def run(self, **kwargs: Any) -> FieldMap | None:
        """New fields, from the fields named as its parameters. Subclasses say how."""
        raise NotImplementedError

    def _generate_mapped_data_point(self, x: DataPoint) -> DataPoint | None:
        made = self.run(**{parameter: getattr(x, field) for parameter, field in self.field_names.items()})
        if made is None:
            return None
        if self.mapped_field_names is not None:
            made = {field: made[key] for key, field in self.mapped_field_names.items()}
        for field, value in made.items():
            setattr(x, field, value)
        return x


class LambdaMapper(BaseMapper):
    """A mapper made of a function: it gets a copy of the data point, which it may change, and returns it (or None)."""

    def __init__(
        self,
        name: str,
        f: MapFunction,
        pre: Sequence[BaseMapper] | None = None,
        memoize: bool = False,
        memoize_key: HashingFunction | None = None,
    ) -> None:
        self._f = f
        super().__init__(name, pre or [], memoize, memoize_key)

    def _generate_mapped_data_point(self, x: DataPoint) -> DataPoint | None:
        return self._f(x)


class lambda_mapper:
    """Decorator: a function that changes a data point and returns it becomes a LambdaMapper.

    >>> @lambda_mapper(memoize=True)
    ... def lower(x):
    ...     x.text = x.text.lower()
    ...     return x
    >>> from types import SimpleNamespace
    >>> lower(SimpleNamespace(text="HI"))
    namespace(text='hi')
    """

    makes: type[LambdaMapper] = LambdaMapper

    def __init__(
        self,
        name: str | None = None,
        pre: Sequence[BaseMapper] | None = None,
        memoize: bool = False,
        memoize_key: HashingFunction | None = None,
    ) -> None:
        check_parentheses(self, name)
        self.name, self.pre, self.memoize, self.memoize_key = name, pre, memoize, memoize_key

    def __call__(self, f: MapFunction) -> LambdaMapper:
        """The mapper that runs the function."""
        return self.makes(self.name or f.__name__, f, self.pre, self.memoize, self.memoize_key)


def check_parentheses(decorator: object, name: Any) -> None:
    """Raise FunctionError (a ValueError) if a decorator was given the function instead of its settings."""
    if callable(name):
        word = type(decorator).__name__
        raise FunctionError(
            f"@{word} on {getattr(name, '__name__', name)!r} is missing its parentheses.\nFix: write @{word}()."
        )
