"""Snorkel's mappers for Spark rows: not here."""

from consilience.compat.snorkel.missing import missing_names

FIX = "turn functions into Consilience's with to_consilience, and apply these where the rows are."
__getattr__ = missing_names("snorkel.map.spark", {"make_spark_mapper": FIX})
