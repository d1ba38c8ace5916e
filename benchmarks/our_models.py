"""Our label models by name, as benchmarks compare them: every one in the zoo, and named variants of some."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from consilience.label_models.base import BaseLabelModel
from consilience.label_models.zoo import ZOO, model_named

Make = Callable[[], BaseLabelModel]
COUNTING = "MajorityVote"  # what all others are held against

# models that are worth a line of their own with settings that are not the default
VARIANTS: Mapping[str, Make] = {
    "cautious DawidSkene": lambda: model_named("DawidSkene")(shrink=2 / 3, balance="uniform"),  # type: ignore[call-arg]
}


def our_models() -> dict[str, Make]:
    """A maker of each model, counting first."""
    zoo: dict[str, Make] = {name: model_named(name) for name in sorted(ZOO, key=lambda name: name != COUNTING)}
    return {**zoo, **VARIANTS}
