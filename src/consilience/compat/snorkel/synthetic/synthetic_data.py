"""Snorkel's votes with known truth: not here; Consilience has its own."""

from consilience.compat.snorkel.missing import missing_names

FIX = (
    "consilience.testing.simulate(n, m, labels, seed=...), which gives votes, truth, and what the best model can reach."
)
__getattr__ = missing_names("snorkel.synthetic.synthetic_data", {"generate_simple_label_matrix": FIX})
