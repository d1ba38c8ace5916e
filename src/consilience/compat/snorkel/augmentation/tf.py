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
    ... def mirror(x):
    ...     x.text = x.text[::-1]
    ...     return x
    >>> from types import SimpleNamespace
    >>> mirror(SimpleNamespace(text="abc"))
    namespace(text='cba')
    """

    makes = LambdaTransformationFunction
