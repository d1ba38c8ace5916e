"""Snorkel's votes with known truth: not here; Consilience has its own."""
