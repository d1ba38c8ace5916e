"""Label models of others, run by the Python of an environment that has them and not our package.

    PYTHON peer_label_models.py list
    PYTHON peer_label_models.py PEER VOTES.npz SEEDS FOLDER

`list` prints one JSON line: the version of each peer's package, or why it cannot be used. The other call fits PEER once
a seed, and writes FOLDER/SEED.npy (probabilities of the scored rows) and FOLDER/SEED.json (times, the peer's balance).
VOTES.npz holds votes (n, m; -1 abstains), n_classes, and the places of the rows to fit on and of those to score.

Settings are each package's own defaults but where the name of the peer says otherwise; torch keeps to one thread.
crowd-kit and HyperLM can only label rows they were given, so they get all rows; the others the rows to fit on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from stopwatch import clocked

MOST_TRIPLES = 50_000_000  # of functions, times classes, that FlyingSquid goes through in some minutes

Votes = np.ndarray
Model = Callable[[Votes, Votes, int, int], np.ndarray]  # votes to fit on, votes to label, classes, seed -> (n, k)


def snorkel(fit_on: Votes, votes: Votes, k: int, seed: int, **training: Any) -> np.ndarray:
    """MeTaL's matrix completion, as Snorkel ships it."""
    import_module("torch").set_num_threads(1)
    model = import_module("snorkel.labeling.model").LabelModel(cardinality=k, verbose=False)
    model.fit(fit_on, seed=seed, progress_bar=False, **training)
    return model.predict_proba(votes)


def flying_squid(fit_on: Votes, votes: Votes, k: int, seed: int) -> np.ndarray:
    """Triplets for two classes; one class against the rest for more. Labels each distinct row of votes once."""
    if votes.shape[1] ** 3 * k > MOST_TRIPLES:
        raise ValueError(f"{votes.shape[1]} functions and {k} classes have too many triples to go through")
    models = import_module("pgmpy.models")
    models.MarkovModel = models.DiscreteMarkovNetwork  # its name when FlyingSquid was written
    label_model = import_module("flyingsquid.label_model").LabelModel
    distinct, place = np.unique(votes, axis=0, return_inverse=True)

    def against_rest(label: int) -> np.ndarray:
        def signs(given: Votes) -> Votes:
            return np.where(given < 0, 0, np.where(given == label, 1, -1))

        model = label_model(votes.shape[1])
        model.fit(signs(fit_on), class_balance=np.array([1 - 1 / k, 1 / k]))
        return np.nan_to_num(model.predict_proba(signs(distinct), verbose=False)[:, 1])

    positive = [against_rest(label) for label in (range(k) if k > 2 else [1])]
    proba = np.column_stack(positive if k > 2 else [1 - positive[0], *positive])
    return _summing_to_one(proba)[place.ravel()]


def hyper_lm(fit_on: Votes, votes: Votes, k: int, seed: int) -> np.ndarray:
    """The graph network trained beforehand on simulated votes. Rows without votes are kept from it: it miscounts."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    torch.load = partial(torch.load, weights_only=False)  # its file of weights holds more than tensors
    covered, proba = (votes >= 0).any(axis=1), np.zeros((len(votes), k))
    found = import_module("hyperlm").HyperLabelModel(device="cpu").infer(votes[covered], return_probs=True)
    proba[covered, : found.shape[1]] = found  # it counts classes up to the highest that is voted for
    return _summing_to_one(proba)


def crowd_kit(name: str, fit_on: Votes, votes: Votes, k: int, seed: int, *, random: bool = False) -> np.ndarray:
    """One of crowd-kit's aggregations; its hard labels count as certain."""
    row, worker = np.nonzero(votes >= 0)
    long = import_module("pandas").DataFrame({"task": row, "worker": worker, "label": votes[row, worker]})
    model = getattr(import_module("crowdkit.aggregation"), name)(**({"random_state": seed} if random else {}))
    proba = np.zeros((len(votes), k))
    if hasattr(model, "fit_predict_proba"):
        found = model.fit_predict_proba(long)
        proba[np.ix_(found.index.to_numpy(), found.columns.to_numpy())] = found.to_numpy()
    else:
        found = model.fit_predict(long)
        proba[found.index.to_numpy(), found.to_numpy().astype(int)] = 1
    return _summing_to_one(proba)


def _summing_to_one(proba: np.ndarray) -> np.ndarray:
    """The same with rows that sum to 1; a row of nothing is uniform."""
    total = proba.sum(axis=1, keepdims=True)
    return np.where(total > 0, proba / np.where(total > 0, total, 1), 1 / proba.shape[1])


class Peer:
    """A label model of others. package: that it comes with; needs: what is imported; sees_all: is given all rows."""

    def __init__(self, package: str, needs: str, model: Model, *, random: bool = False, sees_all: bool = False):
        self.package, self.needs, self.model, self.random, self.sees_all = package, needs, model, random, sees_all


def _crowd_kit(name: str, *, random: bool = False) -> Peer:
    model = partial(crowd_kit, name, random=random)
    return Peer("crowd-kit", "crowdkit.aggregation", model, random=random, sees_all=True)


PEERS = {
    "Snorkel": Peer("snorkel", "snorkel.labeling.model", snorkel, random=True),
    "Snorkel, 500 epochs at 0.1": Peer(
        "snorkel", "snorkel.labeling.model", partial(snorkel, lr=0.1, n_epochs=500), random=True
    ),
    "FlyingSquid": Peer("flyingsquid", "pgmpy.models", flying_squid),
    "HyperLM": Peer("hyperlm", "hyperlm", hyper_lm, sees_all=True),
    "crowd-kit DawidSkene": _crowd_kit("DawidSkene"),
    "crowd-kit OneCoin": _crowd_kit("OneCoinDawidSkene"),
    "crowd-kit GLAD": _crowd_kit("GLAD"),
    "crowd-kit MACE": _crowd_kit("MACE", random=True),
    "crowd-kit MMSR": _crowd_kit("MMSR", random=True),
    "crowd-kit Wawa": _crowd_kit("Wawa"),
    "crowd-kit ZeroBasedSkill": _crowd_kit("ZeroBasedSkill"),
}


def listed() -> dict[str, dict[str, Any]]:
    """What can be used here: each peer's version and whether it draws random numbers, or why it is absent."""
    found: dict[str, dict[str, Any]] = {}
    for name, peer in PEERS.items():
        try:
            import_module(peer.needs)
            found[name] = {"version": f"{peer.package} {version(peer.package)}", "random": peer.random}
        except (ImportError, PackageNotFoundError) as error:
            found[name] = {"absent": str(error)}
    return found


def run(peer: Peer, votes_file: str, seeds: list[int], folder: Path) -> None:
    """Fit and label once a seed, writing each result as soon as it is there."""
    with np.load(votes_file) as parts:
        votes, k = parts["votes"].astype(np.int64), int(parts["n_classes"])
        fitted, scored = parts["fitted"], parts["scored"]
    import_module(peer.needs)  # before the clock starts
    covered = fitted[(votes[fitted] >= 0).any(axis=1)]
    for seed in seeds:
        fit_on = votes if peer.sees_all else votes[fitted]
        times, proba = clocked(lambda: None, lambda _: peer.model(fit_on, votes, k, seed), 1)  # noqa: B023
        balance = proba[covered].mean(axis=0) if len(covered) else np.full(k, 1 / k)
        np.save(folder / f"{seed}.npy", proba[scored])
        (folder / f"{seed}.json").write_text(json.dumps({**times, "balance": balance.tolist()}))


def main() -> None:
    if sys.argv[1] == "list":
        print(json.dumps(listed()))
        return
    name, votes_file, seeds, folder = sys.argv[1:]
    run(PEERS[name], votes_file, [int(seed) for seed in seeds.split(",")], Path(folder))


if __name__ == "__main__":
    main()
