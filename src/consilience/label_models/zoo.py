"""Which label models there are: by the kind a saved one says it is, and by the name people import. One line a model."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from consilience.errors import ModelError, nearest

if TYPE_CHECKING:  # the command line reads the names for its help, and must not load anything heavy for that
    from consilience.label_models.base import BaseLabelModel

ZOO = {
    "MajorityVote": "majority",
    "DataProgramming": "data_programming",
    "DawidSkene": "dawid_skene",
    "HyperLabelModel": "hyper",
    "Committee": "committee",
    "EBCC": "ebcc",
    "OneCoin": "one_coin",
    "LabelModel": "choose",
    "WeightedVote": "weighted",
    "MomentMatching": "moments",
    "Triplets": "triplets",
    "Calibrated": "calibration",
}


def model_named(name: str) -> type[BaseLabelModel]:
    """The class of a model, by its name. Raises ModelError naming the nearest."""
    if name not in ZOO:
        raise ModelError(f"There is no label model {name!r}.\nFix: {nearest(name, ZOO)}")
    return getattr(importlib.import_module(f"consilience.label_models.{ZOO[name]}"), name)


def names_of_models() -> dict[str, str]:
    """What a model is called on the command line, and its class: "dawid-skene", and "auto" for LabelModel."""
    spoken = {re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): name for name in ZOO}
    return {"auto": "LabelModel", "majority": "MajorityVote", **spoken}


def model_of_kind(kind: str) -> type[BaseLabelModel]:
    """The class whose saved models say they are of this kind. Raises ModelError for a kind there is not."""
    kinds = {model_named(name).kind: model_named(name) for name in ZOO}
    if kind not in kinds:
        raise ModelError(f"A {kind!r} is no label model.\nFix: load one of {sorted(kinds)}.")
    return kinds[kind]


def load_label_model(source: Path | str | bytes) -> BaseLabelModel:
    """Whichever label model was saved there."""
    from consilience.store import arrays

    meta, _ = arrays.load(source, "any")
    return model_of_kind(meta["kind"]).load(source)
