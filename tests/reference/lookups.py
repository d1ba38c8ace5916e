"""Looking rows up in known facts, one row and one fact at a time."""

from __future__ import annotations

from collections.abc import Sequence


def comparable(value, ignore_case: bool, strip: bool) -> str | None:
    """A value as it is compared; None where there is nothing."""
    if value is None:
        return None
    text = " ".join(value.split()) if strip else value
    text = text.lower() if ignore_case else text
    return text or None


def says(
    row: Sequence, facts: Sequence[tuple], *, symmetric: bool, ignore_case: bool, strip: bool, several: str
) -> str | None:
    """What the facts (two keys and a label each) say of a row of two keys."""
    key = [comparable(value, ignore_case, strip) for value in row]
    if None in key:
        return None
    found = set()
    for first, second, label in facts:
        known = [comparable(first, ignore_case, strip), comparable(second, ignore_case, strip)]
        if label and None not in known and (key == known or (symmetric and key == known[::-1])):
            found.add(label)
    if len(found) > 1:
        return "|".join(sorted(found)) if several == "set" else None
    return found.pop() if found else None
