"""Learn each function's table by matching moments: how often pairs and triples of functions say things together.

Reads patterns of votes, writes class probabilities. One pass over the patterns makes a small matrix of covariances;
tables are then fitted to that matrix, whatever the number of rows. Where this stands: `cooccurrence` counts, `matching`
fits pairs, `class_balance` adds triples, `table_model` turns tables into probabilities.

Source: Ratner et al., "Training complex models with multi-task weak supervision", AAAI 2019.
Departs: see `matching` for the fit. Second moments alone leave the tables of three or more classes free up to a
rotation; third moments fix it, and where these are noise the prior does, which `findings` says. Dependent functions are
masked: the covariance of functions of different components is of rank k - 1 whatever happens inside a component, so no
inverse covariance, and no care for its singularity (functions that say one label only, or never abstain), is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience.errors import ModelError
from consilience.label_models.base import Evidence, Floats
from consilience.label_models.class_balance import estimate_class_balance, find_classes
from consilience.label_models.cliques import components, find_pairs
from consilience.label_models.cooccurrence import (
    PRIOR_ROWS,
    Beliefs,
    Cooccurrence,
    beliefs,
    co_occurrence,
    single_threaded,
    symbol_counts,
    tables_from,
    with_silence,
)
from consilience.label_models.matching import Match, basis
from consilience.label_models.table_model import TableModel, conditionals, said_of_misfit
from consilience.store import arrays

CLEAR = 2.0  # third moments this many times their standard error decide


class MomentMatching(TableModel):
    """Tables that explain how often pairs and triples of functions say things together.

    prior_strength: rows of gold that the prior, 70% right votes, is worth for each thing a function says.
    balance: "learn" the class balance from triples of functions, or keep it "uniform" (where fit is given none).
    abstains: "evidence": whether a function votes may depend on the class, and is learned; "ignored": it is not used,
        as in Snorkel.
    dependencies: pairs of names of functions that depend on one another even when the class is known. They are not
        compared with each other, and what they say together is tabled.

    theta_: (m, k, s), symbol 0 is abstaining, then the labels, then their groups. prior_: (k,).
    signal_: how many times their standard error third moments are. loss_: of the match, a row. excess_: how many times
    chance the misfit of pairs is; 1 if functions are independent given the class.

    O(p d^2 + p m k^3) once for p patterns and d things said, then O(d^2 k) a step; 100k rows x 50 functions take
    about 0.5 s.

    >>> from consilience.testing import simulate
    >>> made = simulate(5000, 8, ["ham", "spam"], balance=[0.8, 0.2], seed=1)
    >>> model = MomentMatching().fit(made.matrix)
    >>> bool(abs(model.accuracies_ - made.accuracies).max() < 0.05)
    True
    """

    kind = "moment matching"
    signal_: float
    excess_: float
    loss_: float

    def __init__(
        self,
        *,
        prior_strength: float = PRIOR_ROWS,
        balance: str = "learn",
        abstains: str = "evidence",
        dependencies: Sequence[Sequence[str]] = (),
    ) -> None:
        if prior_strength < 0 or balance not in ("learn", "uniform") or abstains not in ("evidence", "ignored"):
            raise ModelError(
                f"MomentMatching(prior_strength={prior_strength}, balance={balance!r}, abstains={abstains!r}) cannot "
                "be.\nFix: prior_strength >= 0, balance 'learn' or 'uniform', abstains 'evidence' or 'ignored'."
            )
        self.prior_strength = prior_strength
        self.balance = balance
        self.abstains = abstains
        self.dependencies = dependencies

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        m = evidence.votes.shape[1]
        pairs = find_pairs(self.dependencies, self.function_names_)
        with single_threaded():
            together = co_occurrence(evidence, components(m, pairs))
            believed = self._match(evidence, together, balance)
            leans = together.shares[:, None] * (self._classes - self.prior_)
            leans = with_silence(together, leans, m, evidence.n_symbols)
            unsaid = Beliefs(believed.classes, np.where(symbol_counts(evidence) > 0, 0.0, believed.rows))
            checked = np.ones((m, evidence.n_classes))  # what is believed had its say in the match
            self.theta_ = tables_from(evidence, leans, checked, unsaid, self.prior_)
            self.conditionals_ = conditionals(
                evidence, together, self.theta_, self.prior_, pairs, lambda function: self._held(together, function)
            )
        self._finish(evidence, learned=balance is not None or self.balance == "learn")

    def _match(self, evidence: Evidence, together: Cooccurrence, balance: Floats | None) -> Beliefs:
        """Set prior_, loadings and what is known of the fit."""
        if balance is None and self.balance == "learn":
            balance = estimate_class_balance(evidence, together.component).shares
        k = evidence.n_classes
        self.prior_ = np.full(k, 1 / k) if balance is None else balance
        believed = beliefs(evidence, self.prior_, self.prior_strength)
        match = Match(together, believed, self.prior_)
        classes, self.excess_ = match.minimum_in_doubt(match.believed)
        found = find_classes(evidence, together, match, classes)
        starts, self.signal_ = [classes], 0.0
        if found is not None:
            turned = found.core.start @ (found.corners * match.root[:, None]).T @ match.basis
            starts.append(match.classes(turned))
            self.signal_ = found.core.signal
        match = Match(together, believed, self.prior_, None if found is None else found.core, self.excess_)
        classes, self.loss_ = min((match.minimum(start) for start in starts), key=lambda one: one[1])
        self._classes, self._loadings = classes, match.loadings(classes)
        return believed

    def _held(self, together: Cooccurrence, function: int) -> tuple[Floats, Floats]:
        """Weights (d, k) that turn covariances with functions of other components into leans, and their worth (k,)."""
        others = together.component[together.function] != together.component[function]
        far = self._loadings * others[:, None]
        strengths = far.T @ far
        weights = far / together.spread[:, None] @ np.linalg.pinv(strengths) @ basis(self.prior_).T
        strength = np.trace(strengths) / max(len(strengths), 1)
        return weights * np.sqrt(self.prior_), np.full(len(self.prior_), strength / (1 + strength))

    def findings(self) -> list[str]:
        """What decided between tables that explain pairs of votes equally well, and how far votes were believed."""
        found = said_of_misfit(self.excess_)
        if self.signal_ < CLEAR and len(self.labels_) > 2:
            found.append(
                f"triples of functions say too little ({self.signal_:.1f} standard errors) to tell the labels apart; "
                "pairs leave their tables free up to a rotation, so prior accuracies decided"
            )
        return found

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """The tables, and how well they fitted."""
        meta, parts = super().state()
        return meta, parts | {"fit": np.array([self.signal_, self.excess_, self.loss_])}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.signal_, self.excess_, self.loss_ = parts["fit"].tolist()
