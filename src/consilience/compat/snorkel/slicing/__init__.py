"""Slicing functions: which rows are of a kind one cares about. And what applies them."""

from consilience.compat.snorkel.missing import missing_names
from consilience.compat.snorkel.slicing.apply.core import PandasSFApplier, SFApplier
from consilience.compat.snorkel.slicing.monitor import slice_dataframe
from consilience.compat.snorkel.slicing.sf.core import SlicingFunction, slicing_function

__all__ = ["PandasSFApplier", "SFApplier", "SlicingFunction", "slice_dataframe", "slicing_function"]

__getattr__ = missing_names(
    "snorkel.slicing",
    dict.fromkeys(
        ("SliceAwareClassifier", "SliceCombinerModule", "add_slice_labels", "convert_to_slice_tasks"),
        "train any model, and look at it slice by slice: Scorer.score_slices, or evaluate(..., slices=[...]) of "
        "consilience.TextClassifier with to_consilience(function, ['the label']).",
    ),
)
