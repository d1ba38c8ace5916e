"""The language: text or Python calls become a tree (`tree.py`), which is checked before anything runs.

* `parse.py`, `reading.py`, `expressions.py`, `grammar.lark`: text becomes a tree. `trouble.py`: what is wrong, in words.
* `build.py`, `terms.py`: calls in Python become the same tree.
* `check.py`, `schema.py`, `bindings.py`: a tree means something, and says everything it means.
* `write.py`: a tree becomes text; fingerprints. `walk.py`: the parts of a tree.
"""

from consilience.kb.language.check import check, check_query, strata
from consilience.kb.language.parse import parse, parse_query
from consilience.kb.language.write import fingerprint, write

__all__ = ["check", "check_query", "fingerprint", "parse", "parse_query", "strata", "write"]
