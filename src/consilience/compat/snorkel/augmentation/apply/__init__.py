"""Transformation functions on lists and frames."""
