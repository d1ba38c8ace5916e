"""Rows that may have several labels: a binary label model for each label, and a prior over which go together.

Reads one matrix a label, over the same rows; writes the probability of each label. Made of the other label models.
Source: one-vs-rest (binary relevance) for the labels alone; the prior joins them as in multi-label classification with
a mixing distribution, see label_priors.
Departs: whether the labels are joined is decided on votes that were held out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.errors import LabelError, ModelError, nearest
from consilience.label_models.base import BaseLabelModel, Floats
from consilience.label_models.choose import LabelModel
from consilience.label_models.dawid_skene import DawidSkene
from consilience.label_models.label_priors import LabelPrior, TablePrior, TreePrior
from consilience.label_models.zoo import model_of_kind
from consilience.labeling.matrix import LabelMatrix
from consilience.store import arrays
from consilience.views import View

Matrices = Mapping[str, LabelMatrix]
TABLE_LABELS = 12  # up to so many labels a probability for each combination of them is tried
CLEAR = 2.0  # standard errors by which a prior must explain held-out votes better than independence
LEARNED = BaseLabelModel.accuracy_means  # what a model calls its accuracies, unless it counts
SURE = 1e-3  # the votes on one label are never surer than this: a model that counts says 0 and 1


class MultiLabel:
    """Learns each label alone, then which labels go together, and uses that if it explains held-out votes better.

    base: a label model, not fitted, whose like is fitted on each label; default LabelModel(), told the share of rows
        with the label that DawidSkene finds (without it, a cautious model takes half of the rows to have a label).
    joint: False keeps the labels apart: one-vs-rest.

    models_: the fitted model of each label, by its name. shares_: (k,) share of rows that have each label.
    prior_: which labels go together; None if they are kept apart. joined_: the labels it is about: those whose model
    learned how far to trust its functions; what counting says of a label cannot be weighed against other labels.
    gains_: by prior that was tried, what it adds to the log-likelihood of a held-out row's votes, and the standard
    error of that.

    >>> import consilience as cs
    >>> table = cs.read([{"text": "a funny love story"}, {"text": "war"}, {"text": "love and war"}])
    >>> functions = {
    ...     "love": cs.keywords("romance", ["love"]),
    ...     "war": cs.keywords(cs.Not("romance"), ["war"]),
    ...     "fun": cs.keywords("comedy", ["funny"]),
    ...     "grim": cs.keywords(cs.Not("comedy"), ["war"]),
    ... }
    >>> votes = cs.apply_multi(functions, table)
    >>> model = MultiLabel().fit(votes)
    >>> [sorted(labels) for labels in model.predict(votes)]
    [['comedy', 'romance'], [], []]
    """

    kind: ClassVar[str] = "multi-label"
    models_: dict[str, BaseLabelModel]
    shares_: Floats
    prior_: LabelPrior | None
    joined_: list[str]
    gains_: dict[str, tuple[float, float]]

    def __init__(self, *, base: BaseLabelModel | None = None, joint: bool = True) -> None:
        if base is not None and not isinstance(base, BaseLabelModel):
            raise ModelError(
                f"{base!r} is no label model to start from.\nFix: give one, as MultiLabel(base=DawidSkene())."
            )
        self.base = base
        self.joint = joint

    def fit(
        self,
        matrices: Matrices,
        *,
        gold: Sequence[Collection[str] | None] | None = None,
        shares: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> Self:
        """Learn from one matrix a label.

        matrices: by label, over the same rows; each has two labels, of which the second says that a row has the label;
            as `apply_multi` makes them.
        gold: for each row the labels it has, None where nobody knows.
        shares: share of the rows that have a label, for the labels of which you know it.
        seed: for splitting the rows whose votes are held out, and for base models that draw random numbers.
        raises: ModelError for matrices that do not fit together; LabelError for gold or shares of unknown labels.

        One base fit a label; the joint prior takes O(rows x 2^labels) a step up to 12 labels, else O(rows x labels).
        """
        matrices = _checked(matrices)
        known = _known(gold, matrices)
        for label in shares or {}:
            if label not in matrices:
                raise LabelError(f"A share is given of {label!r}, no label.\nFix: {nearest(label, matrices)}")
        self.models_ = {}
        for place, (label, matrix) in enumerate(matrices.items()):
            names = None if gold is None else matrix.labels.decode(known[:, place].tolist())
            share = (shares or {}).get(label)
            self.models_[label] = self._fit_alone(matrix, names, share, seed)
        rows = _Rows(matrices, known)
        alone = self._alone(matrices)[rows.first]
        alone = np.where(rows.known >= 0, rows.known, alone)
        self.shares_ = rows.counts @ alone / rows.counts.sum()
        self._join(alone, rows.counts, seed)
        return self

    def _fit_alone(
        self, matrix: LabelMatrix, gold: Sequence[str | None] | None, share: float | None, seed: int
    ) -> BaseLabelModel:
        """The model of one label."""
        balance = None if share is None else [1 - share, share]
        if self.base is None and share is None:
            balance = DawidSkene().fit(matrix, gold=gold, seed=seed).class_balance_.tolist()
        template = self.base or LabelModel()
        return type(template)(**template.settings()).fit(matrix, gold=gold, class_balance=balance, seed=seed)

    def _join(self, alone: Floats, counts: npt.NDArray[np.int64], seed: int) -> None:
        """Decide whether labels are joined, and by which prior. alone: (p, k)."""
        learned = [label for label, model in self.models_.items() if model.accuracy_means == LEARNED]
        self.prior_, self.gains_, self.joined_ = None, {}, learned if self.joint else []
        if len(self.joined_) < 2:
            return
        places = self._joined_places
        self.usual_ = np.clip(alone[:, places], SURE, 1 - SURE).T @ counts / counts.sum()
        likely = self._likely(alone[:, places])
        tried: dict[str, LabelPrior] = {"tree": TreePrior()}
        if len(places) <= TABLE_LABELS:
            tried["table"] = TablePrior()
        self.gains_ = _held_out(tried, likely, counts, seed)
        clear = {name: gain for name, (gain, error) in self.gains_.items() if gain > CLEAR * error}
        if clear:
            self.prior_ = tried[max(clear, key=lambda name: clear[name])].fit(likely, counts.astype(np.float64))
            self.shares_[places] = counts @ self.prior_.answer(likely)[0] / counts.sum()

    @property
    def _joined_places(self) -> list[int]:
        return [place for place, label in enumerate(self.models_) if label in self.joined_]

    def _likely(self, alone: Floats) -> Floats:
        """Likelihood of the votes on joined labels if absent and if present, up to a factor. alone: (p, j).

        returns: (p, j, 2).

        What a model says of a label, over what it says on average: whatever the model, the rows it was fitted on are
        then explained best by just that average, if labels are independent.
        """
        said = np.clip(alone, SURE, 1 - SURE)
        ratio = np.stack([(1 - said) / (1 - self.usual_), said / self.usual_], axis=2)
        return ratio / ratio.max(axis=2, keepdims=True)

    def _alone(self, matrices: Matrices) -> Floats:
        """Probability of each label by the votes on it alone. returns: (n, k)."""
        return np.column_stack([model.predict_proba(matrices[label])[:, 1] for label, model in self.models_.items()])

    def predict_proba(self, matrices: Matrices) -> pl.DataFrame:
        """Probability that a row has each label. returns: n rows, a column a label."""
        self._check_fitted()
        matrices = _checked(matrices, tuple(self.models_))
        proba = self._alone(matrices)
        if self.prior_ is not None:
            rows, places = _Rows(matrices), self._joined_places
            likely = self._likely(proba[rows.first][:, places])
            proba[:, places] = self.prior_.answer(likely)[0][rows.place]
        return pl.DataFrame(dict(zip(self.models_, proba.T, strict=True)))

    def predict(self, matrices: Matrices, *, threshold: float = 0.5) -> list[set[str]]:
        """The labels of each row whose probability is above the threshold."""
        proba = self.predict_proba(matrices)
        above = proba.to_numpy() > threshold
        return [{name for name, has in zip(proba.columns, row, strict=True) if has} for row in above.tolist()]

    # what it says

    def findings(self) -> list[str]:
        """What was found on the way, in sentences."""
        self._check_fitted()
        if not self.joint:
            return ["labels are kept apart, as was asked"]
        if not self.gains_:
            return ["labels are kept apart: fewer than two have a model that learned how far to trust functions"]
        tried = [
            f"a {name} of the labels changes the log-likelihood of a held-out row's votes by {gain:+.4f} ± {error:.4f}"
            for name, (gain, error) in self.gains_.items()
        ]
        used = next((name for name, kind in PRIORS.items() if isinstance(self.prior_, kind)), None)
        apart = ", ".join(label for label in self.models_ if label not in self.joined_)
        return [
            *tried,
            "so labels are kept apart" if used is None else f"so labels are joined by a {used}",
            *([f"counting decides, and stays apart: {apart}"] if apart else []),
        ]

    def summary(self) -> View:
        """A line for each label: its functions, its share, and what its model found."""
        self._check_fitted()
        lines = [
            [label, len(model.function_names_), float(share), getattr(model, "chosen_", model).kind]
            for (label, model), share in zip(self.models_.items(), self.shares_, strict=True)
        ]
        return View(["label", "functions", "share", "model"], lines, notes=self.findings())

    def __str__(self) -> str:
        return str(self.summary()) if hasattr(self, "models_") else "MultiLabel, not fitted"

    def _check_fitted(self) -> None:
        if not hasattr(self, "models_"):
            raise ModelError("This MultiLabel has learned nothing yet.\nFix: call fit(matrices) first.")

    # saved without pickle

    def save(self, path: Path | str) -> None:
        """Write the model to one `.npz` file of plain arrays and JSON."""
        arrays.save(path, self.kind, *self.state())

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """Description and arrays that say all that was learned."""
        self._check_fitted()
        base = None if self.base is None else {"kind": self.base.kind, "settings": self.base.settings()}
        used = next((name for name, kind in PRIORS.items() if isinstance(self.prior_, kind)), None)
        meta: dict[str, Any] = {"base": base, "joint": self.joint, "joined": self.joined_, "prior": used}
        meta |= {"gains": list(self.gains_.items()), "models": []}
        parts: arrays.Arrays = {"shares": self.shares_}
        if self.prior_ is not None:
            parts |= {"usual": self.usual_} | {f"prior_{name}": a for name, a in self.prior_.arrays.items()}
        for place, (label, model) in enumerate(self.models_.items()):
            inner, inner_parts = model.state()
            meta["models"].append({"label": label, "kind": model.kind, "meta": inner})
            parts |= {f"{place}_{name}": part for name, part in inner_parts.items()}
        return meta, parts

    @classmethod
    def load(cls, source: Path | str | bytes) -> Self:
        """The model that `save` wrote. Raises StoreError for anything else; pickles are never loaded."""
        meta, parts = arrays.load(source, cls.kind)
        base = meta["base"] and model_of_kind(meta["base"]["kind"])(**meta["base"]["settings"])
        model = cls(base=base, joint=meta["joint"])
        model.models_ = {}
        for place, saved in enumerate(meta["models"]):
            inner = model_of_kind(saved["kind"])(**saved["meta"]["settings"])
            inner._restore(saved["meta"], _named(parts, f"{place}_"))
            model.models_[saved["label"]] = inner
        model.shares_, model.joined_ = parts["shares"], meta["joined"]
        model.gains_ = {name: (gain, error) for name, (gain, error) in meta["gains"]}
        model.prior_ = PRIORS[meta["prior"]](_named(parts, "prior_")) if meta["prior"] else None
        if model.prior_ is not None:
            model.usual_ = parts["usual"]
        return model


PRIORS: dict[str, type[TablePrior] | type[TreePrior]] = {"table": TablePrior, "tree": TreePrior}


class _Rows:
    """The distinct rows of several matrices together, with what is known of them.

    first: (p,) a row of each kind; place: (n,) which kind each row is; counts: (p,); known: (p, k).
    """

    def __init__(self, matrices: Matrices, known: npt.NDArray[np.int64] | None = None) -> None:
        columns = [matrix.pattern_of_row for matrix in matrices.values()]
        code = np.zeros(len(columns[0]), np.int64)
        for column in [*columns, *([] if known is None else known.T + 1)]:
            code = np.unique(code * (column.max(initial=0) + 1) + column, return_inverse=True)[1]
        _, self.first, self.place, self.counts = np.unique(
            code, return_index=True, return_inverse=True, return_counts=True
        )
        self.known = np.full((len(self.first), len(columns)), -1) if known is None else known[self.first]


def _held_out(
    tried: dict[str, LabelPrior], likely: Floats, counts: npt.NDArray[np.int64], seed: int
) -> dict[str, tuple[float, float]]:
    """What each prior adds to the log-likelihood of a row held out, over independence, and its standard error.

    Each half of the rows is held out once.
    """
    half = np.random.default_rng(seed).binomial(counts, 0.5).astype(np.float64)
    gains = {name: np.zeros((2, len(counts))) for name in tried}
    for fold, (seen, hidden) in enumerate([(half, counts - half), (counts - half, half)]):
        if not seen.sum() or not hidden.sum():
            return {name: (0.0, float("inf")) for name in tried}
        usual = TreePrior(edges=False).fit(likely, seen).answer(likely)[1]
        for name, prior in tried.items():
            gains[name][fold] = prior.fit(likely, seen).answer(likely)[1] - usual
    weights = np.stack([counts - half, half])
    found = {}
    for name, gain in gains.items():
        mean = float((weights * gain).sum() / weights.sum())
        spread = float((weights * (gain - mean) ** 2).sum() / weights.sum())
        found[name] = (mean, float(np.sqrt(spread / weights.sum())))
    return found


def _checked(matrices: Matrices, labels: tuple[str, ...] | None = None) -> dict[str, LabelMatrix]:
    """The matrices, in the order of the labels if they are known; ModelError if they do not fit together."""
    if labels is not None and set(matrices) != set(labels):
        raise ModelError(
            f"There are matrices of {sorted(matrices)}, but the model knows {sorted(labels)}.\n"
            "Fix: apply the same functions, or fit again."
        )
    if not matrices:
        raise ModelError("There are no matrices.\nFix: give one a label, as apply_multi(functions, table) makes them.")
    found = dict(matrices) if labels is None else {label: matrices[label] for label in labels}
    first, rows = next(iter(found.items()))
    for label, matrix in found.items():
        if len(matrix.labels) != 2 or matrix.counts is not None:
            raise ModelError(
                f"The matrix of {label!r} has the labels {list(matrix.labels)}.\n"
                "Fix: give it rows, and two labels, of which the second says that a row has the label."
            )
        if not matrix.ids.equals(rows.ids):
            raise ModelError(
                f"The matrices of {first!r} and {label!r} have other rows.\nFix: apply all functions to one table."
            )
    return found


def _known(gold: Sequence[Collection[str] | None] | None, matrices: Matrices) -> npt.NDArray[np.int64]:
    """Gold as codes: 1 has the label, 0 has it not, -1 nobody knows. returns: (n, k)."""
    n = len(next(iter(matrices.values())))
    if gold is None:
        return np.full((n, len(matrices)), -1)
    if len(gold) != n:
        raise ModelError(
            f"There are {len(gold)} gold sets of labels for {n} rows.\nFix: give None where it is unknown."
        )
    for labels in gold:
        for label in () if labels is None else [labels] if isinstance(labels, str) else labels:
            if isinstance(labels, str) or label not in matrices:
                raise LabelError(
                    f"Gold has {label!r}, which is not a label.\nFix: give sets. {nearest(label, matrices)}"
                )
    return np.array([[-1 if labels is None else int(label in labels) for label in matrices] for labels in gold])


def _named(parts: arrays.Arrays, prefix: str) -> arrays.Arrays:
    """The arrays whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): part for name, part in parts.items() if name.startswith(prefix)}
