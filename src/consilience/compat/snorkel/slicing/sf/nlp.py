"""Slicing functions that get a text parsed by spaCy, as `x.doc`."""

from __future__ import annotations

from consilience.compat.snorkel.labeling.lf.nlp import BaseNLPLabelingFunction, base_nlp_labeling_function


class NLPSlicingFunction(BaseNLPLabelingFunction):
    """A slicing function over texts parsed by spaCy; it shares them with labeling functions of the same settings."""

    says_where = True


class nlp_slicing_function(base_nlp_labeling_function):
    """Decorator: a function of a data point with `x.doc` becomes an NLPSlicingFunction."""

    makes = NLPSlicingFunction
