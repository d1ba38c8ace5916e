"""The benchmarks are scripts in a folder of their own; tests of them see it as they do."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch) -> Path:
    """The folder of the benchmarks, put where Python looks for modules."""
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(folder)
    return folder
