"""Snorkel's spaCy functions for Spark rows: not here."""

from consilience.compat.snorkel.map.spark import FIX
from consilience.compat.snorkel.missing import missing_names

__getattr__ = missing_names(
    "snorkel.labeling.lf.nlp_spark", dict.fromkeys(("SparkNLPLabelingFunction", "spark_nlp_labeling_function"), FIX)
)
