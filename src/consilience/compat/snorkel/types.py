"""Names that Snorkel's users write in type hints; they hold nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

DataPoint = Any
DataPoints = Sequence[Any]
Field = Any
FieldMap = Mapping[str, Any]
HashingFunction = Callable[[Any], Hashable]
