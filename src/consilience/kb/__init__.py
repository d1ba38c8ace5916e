"""Facts: a declarative program over relations, grounded into a factor graph, learned, inferred, kept up with changes.

In the order in which data flows; each folder imports only those before it:

* `language/`: the text of a program, or calls in Python, become a tree; what is wrong is said with line and column.
* `sql/`: rules of the tree become queries, built as expressions and never as text, for any dialect.
* `grounding/`: the queries run in DuckDB; relations, variables, weights and factors stand in one database file, each
  row with the number of its derivations, so that a change grounds only what it touches.
* `graph/`: the factor graph as arrays: `FactorGraph`, what a factor is worth, components, changes.
* `inference/`: marginals, component by component: closed form, enumeration, trees, junction trees, Gibbs sampling.
* `learning/`: weights from evidence: the exact gradient where it can be had, contrastive sampling elsewhere.
* `incremental/`: what a change does to the marginals, from stored samples or an approximate graph.
* `results/`: facts with their evidence, calibration, explanations, exports.
* `knowledge_base.py`: `KnowledgeBase`, the one door to all of it; `memory.py` is what it has in memory, `folder.py` its
  folder on disk, `supervision.py` labels from elsewhere, `example.py` what `consilience kb init` writes.

What makes programs in Python (`relation`, `rule`, `weight`, `names`, ...) can be had from here; it is loaded when used.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "KnowledgeBase":
        return importlib.import_module("consilience.kb.knowledge_base").KnowledgeBase
    if not name.startswith("_"):
        build = importlib.import_module("consilience.kb.language.build")
        if name in build.__all__:
            return getattr(build, name)
    raise AttributeError(f"module 'consilience.kb' has no attribute {name!r}")
