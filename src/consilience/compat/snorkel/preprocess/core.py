"""Preprocessors: mappers under the name they have before labeling functions."""

from __future__ import annotations

from consilience.compat.snorkel.map.core import BaseMapper, LambdaMapper, Mapper, lambda_mapper

BasePreprocessor = BaseMapper


class Preprocessor(Mapper):
    """A Mapper that runs before labeling functions."""


class LambdaPreprocessor(LambdaMapper):
    """A LambdaMapper that runs before labeling functions."""


class preprocessor(lambda_mapper):
    """Decorator: a function that adds to a data point becomes a preprocessor.

    >>> @preprocessor(memoize=True)
    ... def words(x):
    ...     x.words = x.text.split()
    ...     return x
    >>> from types import SimpleNamespace
    >>> words(SimpleNamespace(text="to be")).words
    ['to', 'be']
    """

    makes = LambdaPreprocessor
