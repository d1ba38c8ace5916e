"""Snorkel's framework for networks of many tasks: not here, but for its loss on probabilities."""

from __future__ import annotations

from typing import Any

from consilience.compat.snorkel.missing import missing_names
from consilience.errors import ExtraError

FIX = "train a network of your own on the probabilities (cross_entropy_with_probs is here), or a TextClassifier."
__getattr__ = missing_names(
    "snorkel.classification",
    dict.fromkeys(
        (
            *("DictDataLoader", "DictDataset", "MultitaskClassifier", "Operation", "Task", "Trainer"),
            *("Checkpointer", "CheckpointerConfig", "LogManager", "LogManagerConfig", "LogWriter", "LogWriterConfig"),
            "TensorBoardWriter",
        ),
        FIX,
    ),
)


def cross_entropy_with_probs(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """Cross-entropy of a network's scores against probabilities of classes.

    input: (n, k) scores, a torch tensor. target: (n, k) probabilities. weight: (k,) of the classes.
    reduction: "mean" or "sum" over the rows, or "none".
    returns: a tensor; rows are weighed the same in the mean, whatever their classes' weights.
    raises: ExtraError if torch is not installed.
    """
    try:
        from torch.nn import functional
    except ImportError:
        raise ExtraError(
            "cross_entropy_with_probs needs torch, which is not installed.\nFix: pip install 'consilience[torch]'"
        ) from None
    shares = target if weight is None else target * weight
    losses = -(shares * functional.log_softmax(input, dim=1)).sum(dim=1)
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()
