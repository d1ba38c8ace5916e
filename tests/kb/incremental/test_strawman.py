"""All worlds reweighted by the changed factors alone give the marginals of the changed graph."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kb.changes import random_change
from tests.kb.graphs import random_graph
from tests.reference import factor_graphs as reference

from consilience.errors import GraphError
from consilience.kb.graph.change import GraphChange, changed
from consilience.kb.graph.factor_graph import FactorGraph
from consilience.kb.graph.live import LiveGraph
from consilience.kb.incremental.strawman import AllWorlds


@pytest.mark.parametrize("seed", range(12))
def test_every_kind_of_change_is_exact(seed):
    graph, weights = random_graph(seed, n=6, n_factors=12)
    change = random_change(graph, seed, n_weights=seed % 3, n_evidence=seed % 4)
    stored = AllWorlds.of(graph, weights)
    live = LiveGraph(graph)
    applied = live.apply(change)
    after, weights_after = changed(graph, weights, change)
    got = stored.updated(live, applied, weights, weights_after)
    assert np.allclose(got, reference.marginals(after, weights_after), atol=1e-9)


def test_an_empty_change_gives_what_was():
    graph, weights = random_graph(4)
    live = LiveGraph(graph)
    got = AllWorlds.of(graph, weights).updated(live, live.apply(GraphChange.of()), weights, weights)
    assert np.allclose(got, reference.marginals(graph, weights))


def test_too_many_worlds_are_refused():
    with pytest.raises(GraphError, match=r"1.07e\+09 worlds"):
        AllWorlds.of(FactorGraph.of([2] * 30, []), np.zeros(0))
