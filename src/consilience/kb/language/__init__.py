"""The language: text or Python calls become a tree (`tree.py`), which is checked before anything runs."""
