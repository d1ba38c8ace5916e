"""Transformation functions, the policies that choose among them, and what applies them: more rows from the rows."""

from consilience.compat.snorkel.augmentation.apply.core import TFApplier
from consilience.compat.snorkel.augmentation.apply.pandas import PandasTFApplier
from consilience.compat.snorkel.augmentation.policy.core import ApplyAllPolicy, ApplyEachPolicy, ApplyOnePolicy
from consilience.compat.snorkel.augmentation.policy.sampling import MeanFieldPolicy, RandomPolicy
from consilience.compat.snorkel.augmentation.tf import TransformationFunction, transformation_function

__all__ = [
    "ApplyAllPolicy",
    "ApplyEachPolicy",
    "ApplyOnePolicy",
    "MeanFieldPolicy",
    "PandasTFApplier",
    "RandomPolicy",
    "TFApplier",
    "TransformationFunction",
    "transformation_function",
]
