"""Snorkel's preprocessors for Spark rows: not here."""

from consilience.compat.snorkel.map.spark import FIX
from consilience.compat.snorkel.missing import missing_names

__getattr__ = missing_names("snorkel.preprocess.spark", {"make_spark_preprocessor": FIX})
