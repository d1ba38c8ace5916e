"""Pairs of spans, by looking at every two of them."""

from __future__ import annotations


def pairs_of(spans: list[dict], types, directed: bool, same_sentence) -> set[tuple[str, str]]:
    """Ids of first and second of each pair. same_sentence: called with two spans, whether they may be a pair."""
    found = set()
    for one in spans:
        for other in spans:
            if one["document"] != other["document"] or one["id"] == other["id"] or not same_sentence(one, other):
                continue
            if one["start"] < other["end"] and other["start"] < one["end"]:
                continue
            in_order = one["start"] < other["start"]
            if types is None:
                if in_order or directed:
                    found.add((one["id"], other["id"]))
            elif (one["type"], other["type"]) == types and (in_order or directed or types[0] != types[1]):
                found.add((one["id"], other["id"]))
    return found
