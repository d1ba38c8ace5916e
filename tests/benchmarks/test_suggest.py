"""The parts of the benchmark of suggestions that need no data."""

from __future__ import annotations

import polars as pl


def test_half_of_the_functions_is_the_same_for_a_seed_and_random_words_are_as_many():
    import consilience as cs
    import suggest
    from consilience.labeling.terms import find_terms

    functions = {f"f{j}": cs.keywords("a", [f"w{j}", f"w{j + 1}"], name=f"f{j}") for j in range(9)}
    kept = suggest.half(functions, 3)
    assert len(kept) == 4 and list(kept) == list(suggest.half(functions, 3))
    terms = find_terms(pl.Series([" ".join(f"w{j}" for j in range(i)) for i in range(1, 30)]), min_rows=1)
    for own, other in zip(functions.values(), suggest.at_random(functions.values(), terms, 0), strict=True):
        assert own.labels == other.labels and len(other.phrases) <= len(own.phrases)


def test_a_line_is_the_mean_over_seeds_and_then_over_sets():
    import suggest

    runs = [
        [{"before": {"label model": 1.0, "Dawid-Skene": 0.0}}, {"before": {"label model": 3.0, "Dawid-Skene": 0.0}}]
    ]
    runs.append([{"before": {"label model": 6.0, "Dawid-Skene": 0.0}}])
    assert suggest.line("mean", runs, ["before"], ("label model", "Dawid-Skene"), "rows") == ["mean", "4.0 / 0.0"]
