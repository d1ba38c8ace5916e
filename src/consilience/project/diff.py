"""Two runs side by side, differences only: which functions and settings changed, and what came of it."""

from __future__ import annotations

from typing import Any

from consilience.errors import StoreError
from consilience.project.project import Run
from consilience.views import View

LEFT_OUT = ("reports", "parts", "findings", "top_terms")  # too long to compare line by line, or told by others


def compare_runs(before: Run, after: Run) -> View:
    """What differs between two runs. Raises StoreError if they are of different kinds."""
    if before.kind != after.kind:
        raise StoreError(
            f"Run {before.id} is {before.kind!r} and run {after.id} is {after.kind!r}.\nFix: compare runs of one kind."
        )
    old, new = _flat(before.record), _flat(after.record)
    rows = []
    for name in dict.fromkeys([*old, *new]):
        left, right = old.get(name), new.get(name)
        if left != right:
            both = isinstance(left, (int, float)) and isinstance(right, (int, float))
            change = round(right - left, 4) if both else None  # type: ignore[operator]
            rows.append([name, _short(left), _short(right), change])
    title = f"{before.kind}: run {before.id} and run {after.id}"
    return View(
        ["what", f"run {before.id}", f"run {after.id}", "change"], rows, title, [] if rows else ["no difference"]
    )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A record as one level of names; of an estimate with its interval, the estimate."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if name in LEFT_OUT:
            continue
        if name == "functions" and isinstance(value, list):
            value = {function["name"]: function["fingerprint"] for function in value}
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name} ")
        elif isinstance(value, list) and len(value) == 3 and _number(value[0]):
            flat[prefix + name] = value[0]
        else:
            flat[prefix + name] = value
    return flat


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short(value: Any) -> Any:
    """A fingerprint as its beginning; what is absent as a dash."""
    return value[:8] if isinstance(value, str) and len(value) == 64 else value
