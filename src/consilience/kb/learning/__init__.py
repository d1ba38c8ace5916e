"""Weights from evidence."""
