"""Our label models by name, as benchmarks compare them: every one in the zoo, and named variants of some."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from consilience.label_models import EBCC, DataProgramming, DawidSkene
from consilience.label_models.base import BaseLabelModel
from consilience.label_models.zoo import ZOO, model_named

Make = Callable[[], BaseLabelModel]
COUNTING = "MajorityVote"  # what all others are held against

# models that are worth a line of their own with settings that are not the default
VARIANTS: Mapping[str, Make] = {
    "DawidSkene, silence ignored": lambda: DawidSkene(abstains="ignored"),
    "DawidSkene, silence ignored, even": lambda: DawidSkene(abstains="ignored", balance="uniform"),
    "DataProgramming, dependencies learned": lambda: DataProgramming(dependencies="learn"),
    "EBCC, silence ignored": lambda: EBCC(abstains="ignored"),
}


def our_models() -> dict[str, Make]:
    """A maker of each model, counting first."""
    zoo: dict[str, Make] = {name: model_named(name) for name in sorted(ZOO, key=lambda name: name != COUNTING)}
    return {**zoo, **VARIANTS}
