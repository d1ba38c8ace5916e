"""Marginals of a factor graph: the cheapest engine that is exact, component by component, and sampling for the rest."""
