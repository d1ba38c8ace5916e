"""Transformation functions: mappers that make another data point of the same label."""

from __future__ import annotations

from consilience.compat.snorkel.map.core import BaseMapper, LambdaMapper, Mapper, lambda_mapper

BaseTransformationFunction = BaseMapper


class TransformationFunction(Mapper):
    """A Mapper that makes another data point."""


class LambdaTransformationFunction(LambdaMapper):
    """A LambdaMapper that makes another data point."""


class transformation_function(lambda_mapper):
    """Decorator: a function that changes a data point and returns it, or None, becomes a transformation function.

    >>> @transformation_function()
    ... def square(x):
    ...     x.num = x.num**2
    ...     return x
    >>> from types import SimpleNamespace
    >>> square(SimpleNamespace(num=2))
    namespace(num=4)
    """

    makes = LambdaTransformationFunction
