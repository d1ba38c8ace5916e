"""Label matrix to probabilities: one model a file, one contract for all, each loaded when it is first named.

contract    base (what every model shares), zoo (which models there are)
models      majority, weighted, one_coin, dawid_skene, ebcc, data_programming, moments, triplets, hyper, committee;
            calibration (wraps another), multi_label (one a label), choose (LabelModel: picks among them);
            epoxy (extends votes by embeddings, then fits any of them)
their parts pattern_tables, vote_cells, tied_tables, edges (dawid_skene); factor_graph, factor_objective, gibbs
            (data_programming); cooccurrence, matching, cliques, table_model, class_balance (moments, triplets);
            label_priors (multi_label)
structure   structure (finds dependencies) by residual_search with forest, pseudo_likelihood, robust_pca;
            dependency_paths
trust       advantage (what there is to gain), identifiability, uncertainty, held_out, explain, plots
"""

import importlib
from typing import Any

from consilience.label_models.zoo import ZOO, model_named

BESIDE = {"Epoxy": "epoxy"}  # with embeddings beside the votes: no model by the contract of base

__all__ = sorted([*ZOO, *BESIDE])


def __getattr__(name: str) -> Any:
    if name in BESIDE:
        return getattr(importlib.import_module(f"consilience.label_models.{BESIDE[name]}"), name)
    if name not in ZOO:
        raise AttributeError(f"module 'consilience.label_models' has no attribute {name!r}")
    return model_named(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
