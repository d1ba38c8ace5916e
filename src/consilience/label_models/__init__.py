"""Label matrix to probabilities: one model a file, one contract for all, each loaded when it is first named."""

from typing import Any

from consilience.label_models.zoo import ZOO, model_named

__all__ = sorted(ZOO)


def __getattr__(name: str) -> Any:
    if name not in ZOO:
        raise AttributeError(f"module 'consilience.label_models' has no attribute {name!r}")
    return model_named(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
