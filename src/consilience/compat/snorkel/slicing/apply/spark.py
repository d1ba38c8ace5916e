"""Snorkel's slicing applier for Spark: not here."""

from consilience.compat.snorkel.map.spark import FIX
from consilience.compat.snorkel.missing import missing_names

__getattr__ = missing_names("snorkel.slicing.apply.spark", {"SparkSFApplier": FIX})
