"""What is sent to other processes runs there: installed code by name, everything else whole."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading

import cloudpickle
import pytest

from consilience.engines.shipping import THREADS, Shipment, is_installed, received, shipped
from consilience.errors import FunctionError

WORDS = {"free", "win"}
PATTERN = re.compile("[a-z]+")


def helper(text):
    return set(PATTERN.findall(text)) & WORDS


def elsewhere(payload, argument):
    """Call what was sent in a new Python that has none of this process's own modules."""
    code = f"import sys, pickle; print(pickle.loads(sys.stdin.buffer.read())({argument!r}))"
    done = subprocess.run([sys.executable, "-c", code], input=payload, capture_output=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def test_code_that_is_not_installed_goes_whole_with_the_constants_it_reads():
    assert elsewhere(shipped(lambda text: sorted(helper(text))), "win it") == "['win']"


def test_a_module_beside_it_goes_whole_and_only_while_it_is_sent(tmp_path, monkeypatch):
    (tmp_path / "beside_one.py").write_text("import beside_two\ndef f(x): return beside_two.g(x)\n")
    (tmp_path / "beside_two.py").write_text(
        "import math\nfrom math import floor\ndef g(x): return math.ceil(floor(x))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import beside_one

    payload = shipped(beside_one.f)
    assert elsewhere(payload, 2.5) == "2"
    assert cloudpickle.list_registry_pickle_by_value() == set()
    for name in ("beside_one", "beside_two"):
        monkeypatch.delitem(sys.modules, name)


def test_installed_code_goes_by_name():
    import polars

    assert len(shipped(polars.read_csv)) < 200
    assert is_installed("polars.dataframe") and is_installed("json") and is_installed("consilience.errors")
    assert not is_installed(__name__) and not is_installed("consilience_lfs_77")


def test_the_same_bytes_are_unpacked_once():
    payload = shipped([1, 2])
    assert received(payload) is received(bytes(bytearray(payload)))


def test_what_cannot_be_sent_says_so():
    lock = threading.Lock()
    with pytest.raises(FunctionError, match=r"The thing cannot be sent.*lock.*\nFix: keep no open file"):
        shipped(lambda: lock.locked(), "The thing")


def test_a_worker_runs_what_was_sent_in_one_thread():
    pytest.importorskip("pyarrow")
    shipment = Shipment(shipped(lambda batches: [pool_size(batch) for batch in batches]), ["a.b"])
    code = (
        "import sys, pickle\nshipment = pickle.loads(sys.stdin.buffer.read())\n"
        "assert 'polars' not in sys.modules\nimport pyarrow as pa\n"
        "print(list(shipment([pa.RecordBatch.from_pydict({'c0': [1, 2]})])))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in THREADS}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, input=pickle.dumps(shipment), capture_output=True, cwd="/", check=False, env=environment)
    assert done.stdout.decode().strip() == "[(1, ['a.b'])]", done.stderr.decode()


def pool_size(batch):
    import polars

    return polars.thread_pool_size(), batch.schema.names
