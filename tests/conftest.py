"""What all tests share: quick hypothesis settings, and no test touches the user's own list of trusted folders."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory, monkeypatch):
    """A fresh place for the list of trusted folders."""
    monkeypatch.setenv("CONSILIENCE_HOME", str(tmp_path_factory.mktemp("home")))
