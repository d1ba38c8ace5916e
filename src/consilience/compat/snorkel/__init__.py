"""Snorkel's names on Consilience: a script in Snorkel's style runs when `snorkel` becomes `consilience.compat.snorkel`.

The folders below are Snorkel's import paths. Functions, votes, summaries, policies and scores are as there; the label
model is Consilience's. `to_consilience` turns a function of integers into one of names, for everything else here.
"""

from consilience.compat.snorkel.convert import to_consilience

__all__ = ["to_consilience"]
