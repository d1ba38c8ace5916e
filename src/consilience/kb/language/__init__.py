"""The language: text or Python calls become a tree (`tree.py`), which is checked before anything runs."""

from consilience.kb.language.parse import parse, parse_query

__all__ = ["parse", "parse_query"]
