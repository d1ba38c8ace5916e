"""Probabilities made honest: any label model, with its probabilities sharpened or softened to what the evidence bears.

Wraps a label model. A power of its probabilities, at most 1, is chosen by how well the model predicts each function's
votes from the others' (see held_out); with gold they are scaled on, and shifted by class if asked, to make gold likely.

Source: Guo et al. 2017 (temperature and vector scaling).
Departs: the pull towards doing nothing is 50 pretended rows that the model describes rightly, so a little gold does no
harm and all stays convex; gold the model has learned from is never what it is scaled by (five folds); a scaling that
does not pay on gold it has not seen is not used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from consilience.errors import ModelError
from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.explain import Additive, Contributions
from consilience.label_models.held_out import HeldOut, held_out
from consilience.label_models.zoo import model_of_kind
from consilience.store import arrays

FOLDS = 5
PRETENDED = 50.0  # rows the model describes rightly, that stand behind doing nothing
BIAS_ROWS = 10  # covered rows of gold a class from which shifts by class are learned
ZERO = 0.01  # what a probability of exactly 0 is read as: only models that count votes say so, and they overstate
SOFTEST = 0.05  # powers of probabilities are searched from here to 1 where there is no gold
WORTH = 2.0  # log-likelihood, in independent rows, that held-out votes must gain

METHODS = ("temperature", "bias", "vector")


@dataclass(frozen=True)
class Scaling:
    """What is done to log-probabilities: multiplied (by class), then shifted. The rest says what came of it.

    source: "gold", "votes" or "nothing". rows: of gold, or held-out votes. before, after: mean cost of each, in nats,
    on gold that had no part in it, or of the votes.
    """

    source: str
    reason: str
    rows: float = 0.0
    before: float = float("nan")
    after: float = float("nan")


class Calibrated(BaseLabelModel):
    """A label model whose probabilities are scaled until they are as right as they say.

    model: any label model, fitted or not; a fresh one with its settings is fitted. Default: LabelModel().
    method: "temperature" keeps the most probable label of every row; "bias" also shifts labels against each other, and
        "vector" gives each label a power of its own; both need 10 covered rows of gold a label, else it is temperature.

    model_: the fitted model inside. power_: (k,) its log-probabilities are multiplied by; below 1 where it was too
    sure. shift_: (k,) added to them. scaling_: what was found. Rows without votes keep the model's probabilities.
    With gold the model is fitted six times; without, once.

    >>> from consilience import DawidSkene
    >>> from consilience.testing import simulate
    >>> made = simulate(3000, 9, ["ham", "spam"], copies=4, coverage=(0.5, 0.9), seed=0)
    >>> model = Calibrated(DawidSkene()).fit(made.matrix)
    >>> bool(model.power_[0] < 0.8)  # functions that copy each other make a model too sure
    True
    """

    kind = "calibrated"
    model_: BaseLabelModel
    power_: Floats
    shift_: Floats
    scaling_: Scaling

    def __init__(self, model: BaseLabelModel | dict[str, Any] | None = None, *, method: str = "temperature") -> None:
        if method not in METHODS:
            raise ModelError(f"There is no scaling {method!r}.\nFix: method is one of {', '.join(METHODS)}.")
        self.model = model
        self.method = method

    def settings(self) -> dict[str, Any]:
        """What the constructor was given; the model as its kind and settings."""
        inner = self.model
        described = {"kind": inner.kind, "settings": inner.settings()} if isinstance(inner, BaseLabelModel) else inner
        return {"model": described, "method": self.method}

    def _fresh_inside(self) -> BaseLabelModel:
        """An unfitted model like the one inside."""
        inner = self.settings()["model"] or {"kind": "label model", "settings": {}}
        return model_of_kind(inner["kind"])(**inner["settings"])

    def fit_evidence(self, evidence: Evidence, names: Any, balance: Floats | None, seed: int) -> Self:
        """Fit the model inside, then scale it."""
        self.model_ = self._fresh_inside().fit_evidence(evidence, names, balance, seed)
        return super().fit_evidence(evidence, names, balance, seed)

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        self.class_balance_, self.accuracies_ = self.model_.class_balance_, self.model_.accuracies_
        self.accuracy_means = self.model_.accuracy_means
        k = evidence.n_classes
        self.power_, self.shift_ = np.ones(k), np.zeros(k)
        gold_rows = float(evidence.counts[_scorable(evidence)].sum())
        if k == 1:
            self.scaling_ = Scaling("nothing", "there is but one label")
            return
        self._by_votes(evidence)
        if gold_rows >= 2:
            self._by_gold(evidence, balance, seed, gold_rows)

    def _by_gold(self, evidence: Evidence, balance: Floats | None, seed: int, rows: float) -> None:
        """Scale on, to gold the model inside has not seen, if that pays on gold the scaling has not seen."""
        soft = self.power_[0]  # what votes alone bear: little gold stays near it
        unknown = evidence.covered & (evidence.known < 0)
        shown = unknown if unknown.any() else evidence.covered
        usual = log_softmax(soft * log_probabilities(self.model_, evidence.votes[shown]), axis=1)
        pretended = usual, evidence.counts[shown] / evidence.counts[shown].sum() * PRETENDED
        method = self.method if rows >= BIAS_ROWS * evidence.n_classes else "temperature"
        folds = self._unseen(evidence, balance, seed, int(min(FOLDS, rows)), soft)
        before = after = 0.0
        for place, (logs, gold, weights) in enumerate(folds):
            power, shift = fit_scaling(*_joined(folds, but=place), *pretended, method)
            before += _cost(logs, gold, weights)
            after += _cost(power * logs + shift, gold, weights)
        few = "" if method == self.method else f" (too little gold for method {self.method!r})"
        if after < before:
            power, self.shift_ = fit_scaling(*_joined(folds), *pretended, method)
            self.power_ = soft * power
            reason = "gold that was set aside became more likely" + few
            self.scaling_ = Scaling("gold", reason, rows, before / rows, after / rows)
        else:
            reason = f"{self.scaling_.reason}; more scaling would not make gold that was set aside more likely{few}"
            self.scaling_ = replace(self.scaling_, reason=reason)

    def _unseen(
        self, evidence: Evidence, balance: Floats | None, seed: int, n_folds: int, soft: float
    ) -> list[tuple[Floats, npt.NDArray[np.int64], Floats]]:
        """Log-probabilities of rows with gold by models that have not seen it: fold by fold, with gold and counts."""
        places = np.flatnonzero(_scorable(evidence))
        shares = np.full(n_folds, 1 / n_folds)
        split = np.random.default_rng(seed).multinomial(evidence.counts[places].astype(np.int64), shares)  # (g, folds)
        chosen = getattr(self.model_, "chosen_", self.model_)
        found = []
        for fold in range(n_folds):
            held = split[:, fold].astype(np.float64)
            if not held.any():
                continue
            model = chosen.fresh().fit_evidence(
                _forgetting(evidence, places, held), self.function_names_, balance, seed
            )
            some = places[held > 0]
            logs = log_softmax(soft * log_probabilities(model, evidence.votes[some]), axis=1)
            found.append((logs, evidence.known[some], held[held > 0]))
        return found

    def _by_votes(self, evidence: Evidence) -> None:
        """Soften to what held-out votes bear. Never sharpened: only gold can say that a model is too modest."""
        if self.model_._sums(evidence.votes) is None:
            self.scaling_ = Scaling("nothing", "the model does not say how functions vote, so votes alone cannot tell")
            return
        parts = list(held_out(self.model_, evidence))
        n_votes = float(sum(part.counts.sum() for part in parts))
        if not parts:
            self.scaling_ = Scaling("nothing", "no function says more than one thing, so votes alone cannot tell")
            return
        cost = _held_out_cost(parts, 1.0)
        found = minimize_scalar(
            lambda log_power: _held_out_cost(parts, float(np.exp(log_power))),
            bounds=(np.log(SOFTEST), 0.0),
            method="bounded",
            options={"xatol": 1e-3},
        )
        each = n_votes / evidence.counts[evidence.covered].sum()  # a row is scored once for each of its votes
        pays = cost - found.fun > WORTH * max(each, 1.0)
        self.power_ = np.full(evidence.n_classes, float(np.exp(found.x)) if pays else 1.0)
        reason = (
            "votes that were held out became more likely"
            if pays
            else "softer probabilities would not predict votes better: they are as they were"
        )
        self.scaling_ = Scaling(
            "votes" if pays else "nothing", reason, n_votes, cost / n_votes, float(found.fun) / n_votes
        )

    def _proba(self, votes: npt.NDArray[Any]) -> Floats:
        proba = self.model_._proba(votes)
        if (self.power_ == 1).all() and not self.shift_.any():
            return proba
        covered = (votes >= 0).any(axis=1)
        scaled = self.power_ * log_probabilities(self.model_, votes[covered]) + self.shift_
        proba[covered] = np.exp(log_softmax(scaled, axis=1))
        return proba

    def _sums(self, votes: npt.NDArray[Any]) -> Additive | None:
        """Those of the model inside, scaled; right for rows with votes."""
        inner = self.model_._sums(votes)
        if inner is None or (self.power_ != self.power_[0]).any():
            return None  # powers by label act on probabilities that sum to 1, which no sum of tables is
        return inner.scaled(float(self.power_[0]), self.shift_)

    def _contributions(self, votes: npt.NDArray[Any]) -> Contributions | None:
        scaled, plain = super()._contributions(votes), self.model_._contributions(votes)
        if scaled is None or plain is None:
            return None
        return scaled.where(np.asarray((votes >= 0).any(axis=1)), plain)

    def findings(self) -> list[str]:
        """What the model inside says, and what was done to its probabilities."""
        found = self.scaling_
        lines = [*self.model_.findings(), f"calibration: {found.reason}"]
        if found.source != "nothing":
            powers = ", ".join(f"{power:.2f}" for power in np.unique(self.power_.round(2)))
            lines.append(
                f"probabilities to the power {powers}, by {found.rows:,.0f} "
                f"{'rows of gold' if found.source == 'gold' else 'held-out votes'}: "
                f"cost {found.before:.3f} nats each before, {found.after:.3f} after"
            )
        return lines

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """The state of the model inside, and how it is scaled."""
        meta, parts = super().state()
        inner_meta, inner_parts = self.model_.state()
        meta |= {"scaling": asdict(self.scaling_), "inner": inner_meta, "inner_kind": self.model_.kind}
        scales = {"power": self.power_, "shift": self.shift_}
        return meta, {**parts, **scales, **{f"inner_{name}": part for name, part in inner_parts.items()}}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.model_ = model_of_kind(meta["inner_kind"])(**meta["inner"]["settings"])
        inner = {name.removeprefix("inner_"): part for name, part in parts.items() if name.startswith("inner_")}
        self.model_._restore(meta["inner"], inner)
        self.accuracy_means = self.model_.accuracy_means
        self.power_, self.shift_ = parts["power"], parts["shift"]
        self.scaling_ = Scaling(**meta["scaling"])


def log_probabilities(model: BaseLabelModel, votes: npt.NDArray[Any]) -> Floats:
    """Log-probabilities of patterns, exact where the model is a sum of tables. votes: (p, m). returns: (p, k)."""
    sums = model._sums(votes)
    if sums is not None:
        return np.asarray(log_softmax(sums.joint(votes), axis=1))
    proba = model._proba(votes)
    filled = np.where(proba > 0, proba, ZERO)
    return np.log(filled / filled.sum(axis=1, keepdims=True))


def fit_scaling(
    logs: Floats,
    gold: npt.NDArray[np.int64],
    weights: Floats,
    usual: Floats,
    usual_weights: Floats,
    method: str = "temperature",
) -> tuple[Floats, Floats]:
    """Powers and shifts of log-probabilities under which gold is most likely. Convex, so there is but one answer.

    logs: (g, k) of rows whose class is gold (g,), each standing for weights (g,) rows. usual: (u, k) log-probabilities
    of rows that the model is pretended to describe rightly, weighing usual_weights (u,): they hold powers at 1 and
    shifts at 0. returns: (k,), (k,).

    >>> sure = np.log([[0.99, 0.01], [0.01, 0.99]])
    >>> power, shift = fit_scaling(sure[[0, 0, 0, 0]], np.array([0, 0, 0, 1]), np.full(4, 50.0), sure, np.ones(2))
    >>> bool(power[0] < 0.3), shift.tolist()
    (True, [0.0, 0.0])
    """
    k = logs.shape[1]
    where = np.concatenate([logs, usual])
    truth = np.concatenate([np.eye(k)[gold] * weights[:, None], np.exp(usual) * usual_weights[:, None]])  # (rows, k)
    mass = truth.sum(axis=1, keepdims=True)
    n_powers, shifts = (k if method == "vector" else 1), method != "temperature"

    def unfold(x: Floats) -> tuple[Floats, Floats]:
        return np.broadcast_to(x[:n_powers], k), (x[n_powers:] if shifts else np.zeros(k))

    def cost(x: Floats) -> tuple[float, Floats]:
        power, shift = unfold(x)
        logits = log_softmax(power * where + shift, axis=1)
        off = np.exp(logits) * mass - truth  # gradient by logit
        by_power = (off * where).sum(axis=0)
        slope = np.concatenate([by_power if n_powers == k else [by_power.sum()], off.sum(axis=0) if shifts else []])
        pull = x - start  # so little that it only settles what no row does
        return float(-(truth * logits).sum() + 5e-4 * pull @ pull), slope + 1e-3 * pull

    start = np.concatenate([np.ones(n_powers), np.zeros(k if shifts else 0)])
    bounds = [(1e-3, None)] * n_powers + [(None, None)] * (k if shifts else 0)
    best = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-9, "ftol": 1e-14})
    power, shift = unfold(best.x)
    return np.array(power), np.array(shift)


def _held_out_cost(parts: list[HeldOut], power: float) -> float:
    """Minus the log-likelihood of all held-out votes."""
    return float(-sum(part.counts @ np.log(np.maximum(part.likelihood(power), 1e-300)) for part in parts))


def _forgetting(evidence: Evidence, places: npt.NDArray[np.int64], held: Floats) -> Evidence:
    """The same rows, but of those at places, `held` many have no known class any more."""
    counts = evidence.counts.copy()
    counts[places] -= held
    every = replace(
        evidence,
        votes=np.concatenate([evidence.votes, evidence.votes[places]]),
        counts=np.concatenate([counts, held]),
        known=np.concatenate([evidence.known, np.full(len(places), -1)]),
    )
    kept = every.counts > 0
    return replace(every, votes=every.votes[kept], counts=every.counts[kept], known=every.known[kept])


def _joined(
    folds: list[tuple[Floats, npt.NDArray[np.int64], Floats]], but: int | None = None
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """All folds but one as one."""
    kept = [fold for place, fold in enumerate(folds) if place != but]
    k = folds[0][0].shape[1]
    logs = np.concatenate([np.empty((0, k)), *(fold[0] for fold in kept)])
    gold = np.concatenate([np.empty(0, np.int64), *(fold[1] for fold in kept)])
    return logs, gold, np.concatenate([np.empty(0), *(fold[2] for fold in kept)])


def _cost(logits: Floats, gold: npt.NDArray[np.int64], weights: Floats) -> float:
    return float(-weights @ log_softmax(logits, axis=1)[np.arange(len(gold)), gold])


def _scorable(evidence: Evidence) -> npt.NDArray[np.bool_]:
    return (evidence.known >= 0) & evidence.covered
