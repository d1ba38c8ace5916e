"""Python functions as bytes that another process can run: what an engine sends to its workers.

Code that is installed goes by its name, for workers have it too. Code that is not (a script, a notebook, a project's
lfs.py, a module beside them) goes whole: which modules that concerns is read off the bytes themselves.

Imports nothing heavy: a worker that unpacks a shipment has not loaded any library with threads yet.
"""

from __future__ import annotations

import os
import pickletools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import packages_distributions
from types import ModuleType
from typing import Any

from consilience.errors import FunctionError

ALWAYS_THERE = frozenset({"consilience", "pyspark", "py4j", "cloudpickle", "__main__"})  # __main__ goes whole by itself
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")
KEPT = 4  # shipments a worker keeps unpacked: its tasks are mostly pieces of the same work


def shipped(thing: Any, what: str = "This") -> bytes:
    """The thing as bytes that need nothing but installed packages, and what they themselves carry.

    what: how an error calls it. raises: FunctionError if it holds what cannot be sent: an open file, a lock.

    >>> received(shipped(str.upper))("as it was")
    'AS IT WAS'
    """
    import cloudpickle

    whole: set[str] = set()
    while True:
        try:
            with _going_whole(whole):
                payload: bytes = cloudpickle.dumps(thing)
        except Exception as error:
            raise FunctionError(
                f"{what} cannot be sent to other processes: {type(error).__name__}: {error}.\n"
                "Fix: keep no open file, lock or connection in it; open it where it is used."
            ) from error
        found = set(_named_modules(payload)) - whole
        if not found:
            return payload
        whole |= found


@lru_cache(maxsize=KEPT)
def received(payload: bytes) -> Any:
    """What `shipped` sent; the same bytes are unpacked once a process. Code of one's own driver, never data."""
    import cloudpickle

    return cloudpickle.loads(payload)


class Shipment:
    """A function of Arrow batches on its way to a worker, which unpacks it once and runs it in one thread.

    payload: what `shipped` made of it. names: what the columns of the batches are to be called.
    """

    def __init__(self, payload: bytes, names: list[str]) -> None:
        self.payload = payload
        self.names = names

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """What the function makes of the batches."""
        for name in THREADS:  # before a pool of threads is made: a task has one core
            os.environ.setdefault(name, "1")
        function = received(self.payload)
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # for a worker that had loaded such libraries before
            yield from function(batch.rename_columns(self.names) for batch in batches)


def _named_modules(payload: bytes) -> Iterator[str]:
    """Modules that the bytes name and a worker may not have. A string that only looks like one does no harm."""
    for _, value, _ in pickletools.genops(payload):
        if isinstance(value, str) and value in sys.modules and not is_installed(value):
            yield value


def is_installed(module: str) -> bool:
    """Whether a module comes with Python or with an installed package."""
    top = module.partition(".")[0]
    return top in ALWAYS_THERE or top in sys.stdlib_module_names or top in _installed_names()


@lru_cache(maxsize=1)
def _installed_names() -> frozenset[str]:
    return frozenset(packages_distributions())


@contextmanager
def _going_whole(names: set[str]) -> Iterator[None]:
    """Let these modules' code be sent whole, inside the block."""
    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    modules: list[ModuleType] = [sys.modules[name] for name in sorted(names) if name not in known]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
