"""Runs of bytes looked for one by one, at each place of a text."""

from __future__ import annotations

from consilience.labeling.needed import Run, Runs


def has_one(text: str | None, runs: Runs) -> bool:
    """Whether one of the runs stands in the text."""
    content = (text or "").encode()
    return any(_stands(run, content[start:]) for run in runs for start in range(len(content)))


def _stands(run: Run, content: bytes) -> bool:
    return len(content) >= len(run) and all(byte in place for byte, place in zip(content, run, strict=False))
