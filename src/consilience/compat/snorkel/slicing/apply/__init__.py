"""Slicing functions on lists and frames."""
