"""Snorkel's data sets for networks of many tasks: not here."""

from consilience.compat.snorkel.missing import missing_names

FIX = "give rows, probabilities and labels to the loader of your own network."
__getattr__ = missing_names(
    "snorkel.classification.data", dict.fromkeys(("DictDataLoader", "DictDataset", "XDict", "YDict"), FIX)
)
