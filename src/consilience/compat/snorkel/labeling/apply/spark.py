"""Snorkel's applier for Spark: not here."""

from consilience.compat.snorkel.map.spark import FIX
from consilience.compat.snorkel.missing import missing_names

__getattr__ = missing_names("snorkel.labeling.apply.spark", {"SparkLFApplier": FIX})
