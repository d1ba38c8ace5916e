"""Labeling functions of integers, what applies them, and what counts their votes.

Its first versions had the label models here too; so they are.
"""

from typing import Any

from consilience.compat.snorkel.labeling.analysis import LFAnalysis
from consilience.compat.snorkel.labeling.apply.core import LFApplier
from consilience.compat.snorkel.labeling.apply.pandas import PandasLFApplier
from consilience.compat.snorkel.labeling.lf.core import LabelingFunction, labeling_function
from consilience.compat.snorkel.labeling.utils import filter_unlabeled_dataframe

__all__ = [
    "LFAnalysis",
    "LFApplier",
    "LabelingFunction",
    "PandasLFApplier",
    "filter_unlabeled_dataframe",
    "labeling_function",
]

MODELS = ("LabelModel", "MajorityClassVoter", "MajorityLabelVoter", "RandomVoter")


def __getattr__(name: str) -> Any:
    if name in MODELS:
        from consilience.compat.snorkel.labeling import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
