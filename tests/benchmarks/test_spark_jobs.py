"""The comparison with Spark counts the cost of child processes, and sees a vote that differs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")


def test_what_children_and_their_children_cost_is_counted():
    from process_tree import watched

    burn = (
        "x = bytearray(60_000_000)\nimport time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    )
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    with watched() as quiet:
        pass
    with watched() as cost:
        subprocess.run([sys.executable, "-c", nested], check=True)
    assert 0.35 < cost["cpu_s"] < 3 and cost["wall_s"] > 0.6
    assert cost["peak_mb"] > quiet["peak_mb"] + 50


def test_votes_are_compared_row_by_row(tmp_path):
    from labeling_jobs import spark

    found = spark.local(300, tmp_path)
    assert found["runs"] == 1 and found["distinct"] > 5
    theirs = tmp_path / "votes-300"
    names = [name for name in pl.read_parquet_schema(theirs / "000.parquet") if name != "id"]
    frame = pl.read_parquet(theirs / "000.parquet")

    def written(made):
        (tmp_path / "ours").mkdir(exist_ok=True)
        made.write_parquet(tmp_path / "ours" / "part.parquet")
        return tmp_path / "ours"

    spark.check_same(written(frame.sample(fraction=1, shuffle=True, seed=1)), theirs, 300, names)
    with pytest.raises(RuntimeError, match="differ"):
        spark.check_same(written(frame.with_columns(brief=frame["brief"].shift(1))), theirs, 300, names)
    with pytest.raises(RuntimeError, match="1 rows have no votes"):
        spark.check_same(written(frame[1:]), theirs, 300, names)
    assert len(spark.jobs()) == 2
