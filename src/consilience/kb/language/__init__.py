"""The language: text or Python calls become a tree (`tree.py`), which is checked before anything runs."""

from consilience.kb.language.parse import parse, parse_query
from consilience.kb.language.write import fingerprint, write

__all__ = ["fingerprint", "parse", "parse_query", "write"]
