"""Label models of others, from our side: which can be used, and what each says of a set of votes.

They run in an environment of their own, by peer_label_models.py. What they said is kept under build/benchmarks/peers,
by a hash of the votes, so that a later run asks only what was not asked before.
"""

from __future__ import annotations

import hashlib
import json
import re
import resource
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs import ONE_THREAD
from record import lines_file

SCRIPT = Path(__file__).with_name("peer_label_models.py")
KEPT = lines_file("peers").with_suffix("")
LIMIT_S = 20  # CPU seconds for all seeds of one peer on one set: ours need less than one
LIMIT_BYTES = 12 * 2**30  # of address space: some take more than the machine has
STOPPED = "stopped by"


@dataclass(frozen=True)
class Said:
    """What a peer said with one seed. proba: (scored rows, k); balance: (k,), mean over the covered rows fitted on."""

    seed: int
    proba: np.ndarray
    balance: np.ndarray
    cpu_s: float


@dataclass(frozen=True)
class Question:
    """Votes to ask about. votes: (n, m); fitted, scored: places of rows."""

    votes: np.ndarray
    n_classes: int
    fitted: np.ndarray
    scored: np.ndarray

    def key(self) -> str:
        """A hash of all of it."""
        found = hashlib.sha256()
        parts = (self.votes.astype(np.int16), self.fitted.astype(np.int64), self.scored.astype(np.int64))
        for part in (*parts, np.array([self.n_classes])):
            found.update(f"{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        return found.hexdigest()[:16]


def listed(python: str) -> dict[str, dict[str, Any]]:
    """Each peer's version and whether it draws random numbers, or why it is absent. python: "" for none at all."""
    if not python:
        return {}
    done = subprocess.run([python, "-W", "ignore", str(SCRIPT), "list"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def asked(python: str, peer: str, question: Question, seeds: list[int]) -> tuple[list[Said], str]:
    """What a peer says with each seed, and what went wrong, if anything: it may have answered for some seeds only."""
    folder = KEPT / question.key() / re.sub(r"\W+", "-", peer)
    folder.mkdir(parents=True, exist_ok=True)
    failure = folder / "failure.txt"
    missing = [seed for seed in seeds if not (folder / f"{seed}.json").is_file()]
    if missing and not failure.is_file():
        wrong = _ask(python, peer, question, missing, folder)
        if wrong.startswith(STOPPED):  # by somebody, and no fault of its own: it may be asked again
            return [], wrong
        if wrong:
            failure.write_text(wrong, "utf-8")
    said = [_kept(folder, seed) for seed in seeds if (folder / f"{seed}.json").is_file()]
    return said, failure.read_text("utf-8") if failure.is_file() else ""


def _ask(python: str, peer: str, question: Question, seeds: list[int], folder: Path) -> str:
    """Run a peer in a process of its own. returns: the last line of its complaint, or nothing."""
    with tempfile.TemporaryDirectory() as own:
        votes = Path(own) / "votes.npz"
        np.savez(votes, **{**vars(question), "votes": question.votes.astype(np.int16)})
        command = [python, "-W", "ignore", str(SCRIPT), peer, str(votes), ",".join(map(str, seeds)), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=_limited, env=ONE_THREAD)
    if done.returncode == -signal.SIGXCPU:
        return f"took longer than {LIMIT_S} s"
    if done.returncode in (-signal.SIGTERM, -signal.SIGINT):
        return f"{STOPPED} {signal.Signals(-done.returncode).name}"
    words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return words[-1][:200] if done.returncode else ""


def _limited() -> None:
    """CPU time is limited, as on a shared machine the clock would say what the neighbours do; and memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S + 10))
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))


def _kept(folder: Path, seed: int) -> Said:
    told = json.loads((folder / f"{seed}.json").read_text("utf-8"))
    return Said(seed, np.load(folder / f"{seed}.npy"), np.array(told["balance"]), told["cpu_s"])
