"""Learn how far to trust each function from triples of functions, in closed form: the fastest model that learns.

Reads patterns of votes, writes class probabilities. For three functions that are independent given the class, the three
covariances of pairs give each one's covariance with the class, up to sign. All triples are used at once.

Source: Fu et al., "Fast and three-rious: speeding up weak supervision with triplet methods", ICML 2020.
Departs: by default covariances stand where the paper has second moments, so that errors need not be symmetric: then
each function's leaning is found (a function that says one label only is as good as any), and with the class balance,
from third moments, P(says s | class) of every s and of abstaining. Triples whose denominator is noise are dropped, not
taken as 0; signs come from the leading eigenvector. With more than two classes, each class against the rest gives its
column P(says s | class) of the tables, and probabilities are the normalised product of columns: Bayes' rule, which
counts no vote "against the rest" twice, as adding up k log-odds would, and squashes once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consilience.errors import ModelError
from consilience.label_models.base import Evidence, Floats
from consilience.label_models.class_balance import estimate_class_balance
from consilience.label_models.cliques import components, find_pairs
from consilience.label_models.cooccurrence import (
    FLOOR,
    PRIOR_ROWS,
    Beliefs,
    Cooccurrence,
    beliefs,
    co_occurrence,
    single_threaded,
    tables_from,
    with_silence,
)
from consilience.label_models.table_model import TableModel, conditionals, said_of_misfit
from consilience.store import arrays

NOISE = 2.0  # standard errors a denominator must be from 0
MOST = 0.98  # correlation with the class that a function can have
ENOUGH = 3  # functions
UNREACHED = 1e-6  # of the largest entry of the eigenvector


Ints = npt.NDArray[np.int64]
COMBINE = ("mean", "median", "weighted")


@dataclass(frozen=True)
class View:
    """One class against the rest: what each function's votes count for it, and how that goes with the class.

    scored: (d, m) what each thing said counts in the score of its function; spread: (m,) of scores;
    loading: (m,) correlation of scores with the class, 0 where no triple tells; apart: (m, m) functions to compare;
    deviation: standard deviation of "the class is this one"; excess: how many times chance the misfit of pairs is;
    leans: (d,) of what is said, if the model says them.
    """

    scored: Floats
    spread: Floats
    loading: Floats
    apart: npt.NDArray[np.bool_]
    deviation: float
    excess: float = 1.0
    leans: Floats | None = None

    @property
    def strength(self) -> Floats:
        """How well all others together tell the class, as a ratio of signal to noise. returns: (m,)."""
        return self.apart @ (self.loading * self.pull)

    @property
    def pull(self) -> Floats:
        """Weight of each function in the best linear guess of the class. returns: (m,)."""
        return self.loading / (1 - self.loading**2)

    @property
    def checked(self) -> Floats:
        """Share of a row of gold that a row of the others' votes is worth. returns: (m,)."""
        return self.strength / (1 + self.strength) / self.excess

    def weights(self, function: int) -> Floats:
        """What turns covariances with the columns of others into a lean on the class. returns: (d,)."""
        pull = np.where(self.apart[function], self.pull, 0.0) / np.where(self.spread > FLOOR, self.spread, 1.0)
        return self.scored @ pull * self.deviation / max(self.strength[function], FLOOR)

    def leans_of(self, together: Cooccurrence) -> Floats:
        """Leans on the class of all that is said, held against the scores of the functions apart. returns: (d,)."""
        held = together.covariance @ self.scored / np.where(self.spread > FLOOR, self.spread, 1.0)
        pulled = (held * self.apart[together.function]) @ self.pull
        return self.deviation * pulled / np.maximum(self.strength[together.function], FLOOR)


class Triplets(TableModel):
    """Tables from triples of functions, in closed form.

    combine: what becomes of the estimates of all triples a function is in: their "mean" or "median", as in the paper,
        or "weighted", the mean of squares with the weights that give it least variance.
    class_conditional: find P(says s | class) of each class apart; False: the paper's own model, in which a function is
        right equally often in both classes, and abstains equally often.
    prior_strength: rows of gold that the prior, 70% right votes, is worth for each thing a function says.
    balance: "learn" the class balance from third moments, or keep it "uniform" (where fit is given none).
    abstains: "evidence": whether a function votes may depend on the class; "ignored": it is not used.
    dependencies: pairs of names of functions that depend on one another even when the class is known. Triples with two
        functions joined by such pairs are left out, and what these say together is tabled.

    theta_: (m, k, s), symbol 0 is abstaining, then the labels, then their groups. prior_: (k,).
    checked_: (m, k), how far the other functions can check each: the share of a row of gold that a row is worth.
    excess_: how many times chance the misfit of pairs is; 1 if functions are independent given the class.

    O(p d^2) once for p patterns and d things said, then O(k m^3); 100k rows x 50 functions take about 0.3 s.

    >>> from consilience.testing import simulate
    >>> made = simulate(5000, 8, ["ham", "spam"], balance=[0.8, 0.2], seed=1)
    >>> model = Triplets().fit(made.matrix)
    >>> bool(abs(model.accuracies_ - made.accuracies).max() < 0.05)
    True
    """

    kind = "triplets"
    checked_: Floats
    excess_: float

    def __init__(
        self,
        *,
        combine: str = "weighted",
        class_conditional: bool = True,
        prior_strength: float = PRIOR_ROWS,
        balance: str = "learn",
        abstains: str = "evidence",
        dependencies: Sequence[Sequence[str]] = (),
    ) -> None:
        choices = {"combine": COMBINE, "balance": ("learn", "uniform"), "abstains": ("evidence", "ignored")}
        given = {"combine": combine, "balance": balance, "abstains": abstains}
        wrong = {name: value for name, value in given.items() if value not in choices[name]}
        if prior_strength < 0 or wrong:
            raise ModelError(
                f"Triplets with {wrong or {'prior_strength': prior_strength}} cannot be.\n"
                f"Fix: prior_strength >= 0, and {choices}."
            )
        self.combine = combine
        self.class_conditional = class_conditional
        self.prior_strength = prior_strength
        self.balance = balance
        self.abstains = abstains
        self.dependencies = dependencies

    def _fit(self, evidence: Evidence, balance: Floats | None, seed: int) -> None:
        m = evidence.votes.shape[1]
        pairs = find_pairs(self.dependencies, self.function_names_)
        component = components(m, pairs)
        self.prior_ = self._balance(evidence, component) if balance is None else balance
        believed = beliefs(evidence, self.prior_, self.prior_strength)
        with single_threaded():
            together = co_occurrence(evidence, component)
            views = [self._view(evidence, together, believed, c) for c in range(evidence.n_classes)]
            self.excess_ = max(view.excess for view in views)
            self.checked_ = np.stack([view.checked for view in views], axis=1)
            leans = with_silence(together, self._leans(together, views), m, evidence.n_symbols)
            self.theta_ = tables_from(evidence, leans, self.checked_, believed, self.prior_)

            def held(function: int) -> tuple[Floats, Floats]:
                return np.stack([view.weights(function) for view in views], axis=1), self.checked_[function]

            self.conditionals_ = conditionals(evidence, together, self.theta_, self.prior_, pairs, held)
        self._finish(evidence, learned=balance is not None or self.balance == "learn")

    def _balance(self, evidence: Evidence, component: Ints) -> Floats:
        if self.balance == "learn":
            return estimate_class_balance(evidence, component).shares
        return np.full(evidence.n_classes, 1 / evidence.n_classes)

    def _view(self, evidence: Evidence, together: Cooccurrence, believed: Beliefs, c: int) -> View:
        """What triples say of class c against all others."""
        p = self.prior_[c]
        scored = scores_for(evidence, together, c, even_against=not self.class_conditional)
        covariance = scored.T @ together.covariance @ scored
        spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        safe = np.where(spread > FLOOR, spread, 1.0)
        variance = together.variance_of(scored, safe)
        deviation = np.sqrt(p * (1 - p))
        expected = (together.shares * (believed.classes[together.function, together.symbol + 1, c] - p)) @ scored
        leans = None
        if self.class_conditional:
            loading = self._triplets(covariance, spread, variance, together, expected)
        else:
            leans = self._symmetric(covariance, scored, variance, together, expected, p)
            loading = leans @ scored / np.maximum(safe * deviation, FLOOR)
        loading = np.clip(loading, -MOST, MOST)
        compared = together.apart & np.outer(loading, loading).astype(bool)
        excess = misfit(covariance / np.outer(safe, safe) - np.outer(loading, loading), variance / together.n, compared)
        return View(scored, spread, loading, together.apart, deviation, excess, leans)

    def _triplets(
        self, moments: Floats, scale: Floats, variance: Floats, together: Cooccurrence, expected: Floats
    ) -> Floats:
        """Signed solutions a of moments_ij = a_i a_j scale_i scale_j, 0 where no triple tells. returns: (m,)."""
        usable = scale > FLOOR
        allowed = together.apart & np.outer(usable, usable)
        safe = np.where(usable, scale, 1.0)
        scaled = np.where(allowed, moments / np.outer(safe, safe), 0.0)
        return signs(scaled, expected) * magnitudes(scaled, allowed, variance / together.n, self.combine)

    def _symmetric(
        self,
        covariance: Floats,
        scored: Floats,
        variance: Floats,
        together: Cooccurrence,
        expected: Floats,
        p: float,
    ) -> Floats:
        """Leans on the class if functions are as often right in it as in the rest, and as often silent. returns: (d,).

        a = E[score (2Y - 1)] from second moments; P(right) = (1 + a - P(silent)) / 2; then P(score 1, class) from it,
        P(score 1), P(class) and the independence of silence, as in the paper's linear system.
        """
        mean, votes = scored.T @ together.shares, (scored**2).T @ together.shares
        second = covariance + np.outer(mean, mean)
        a = self._triplets(second, np.sqrt(votes), variance, together, expected) * np.sqrt(votes)
        right, positive = (a + votes) / 2, (votes + mean) / 2
        both = np.clip((right + p * votes + positive - votes) / 2, 0.0, np.minimum(positive, p * votes))
        total = {1: (both - p * positive, positive), -1: (p * positive - both, votes - positive)}
        leans = np.zeros(len(scored))
        for sign, (lean, share) in total.items():
            column, function = np.nonzero(scored == sign)
            told = np.where(a == 0, 0.0, lean)[function]
            leans[column] = told * together.shares[column] / np.maximum(share[function], FLOOR)
        return leans

    def _leans(self, together: Cooccurrence, views: list[View]) -> Floats:
        """P(said, class) - P(said) P(class) of each thing said. returns: (d, k)."""
        return np.stack([view.leans_of(together) if view.leans is None else view.leans for view in views], axis=1)

    def findings(self) -> list[str]:
        """Which functions no triple can check, and how far votes were believed."""
        found = said_of_misfit(self.excess_)
        blind = [name for name, row in zip(self.function_names_, self.checked_, strict=True) if row.max() <= FLOOR]
        if blind:
            shown = ", ".join(blind[:5]) + (", ..." if len(blind) > 5 else "")
            found.append(f"no triple of functions checks {shown}: of these prior accuracies are kept")
        return found

    def state(self) -> tuple[dict[str, Any], arrays.Arrays]:
        """The tables, and how far they could be checked."""
        meta, parts = super().state()
        return meta, parts | {"checked": self.checked_, "excess": np.array([self.excess_])}

    def _restore(self, meta: dict[str, Any], parts: arrays.Arrays) -> None:
        super()._restore(meta, parts)
        self.checked_, self.excess_ = parts["checked"], float(parts["excess"][0])


def scores_for(evidence: Evidence, together: Cooccurrence, c: int, *, even_against: bool) -> Floats:
    """What each thing said counts for class c: with two classes +1 for c and -1 against it.

    With more, a vote for c alone counts 1 and all else nothing: among the other classes such votes depend least on
    which of them it is. If fewer than three functions cast such votes, or even_against, votes against c count -1.
    returns: (d, m).
    """
    allows = evidence.meanings[together.symbol]
    alone = allows[:, c] & (allows.sum(axis=1) == 1)
    speak = np.unique(together.component[together.function[alone]])
    against = ~allows[:, c] & (even_against or evidence.n_classes == 2 or len(speak) < ENOUGH)
    scored = np.zeros((len(together.function), len(together.component)))
    scored[np.arange(len(together.function)), together.function] = alone * 1.0 - against
    return scored


def magnitudes(scaled: Floats, allowed: npt.NDArray[np.bool_], variance: Floats, combine: str) -> Floats:
    """|a_i| from scaled_ij = a_i a_j, over all triples of functions allowed to be compared; 0 where there are none.

    scaled: (m, m), 0 where not allowed; variance: (m, m) of its entries. Denominators within two standard errors of 0
    are left out. O(m^3).

    >>> a = np.array([0.9, 0.5, 0.4, 0.3])
    >>> apart = ~np.eye(4, dtype=bool)
    >>> magnitudes(np.outer(a, a) * apart, apart, np.zeros((4, 4)), "mean").round(2).tolist()
    [0.9, 0.5, 0.4, 0.3]
    """
    kept = allowed & (np.abs(scaled) > NOISE * np.sqrt(variance))
    if combine == "weighted":  # the variance of a candidate goes with that of its denominator, over its square
        share = np.where(kept, scaled / np.maximum(variance, FLOOR), 0.0)
        above = np.einsum("ij,jl,li->i", scaled, share, scaled, optimize=True)
        below = np.einsum("ij,jl,li->i", allowed, share * scaled, allowed, optimize=True)
        return np.sqrt(np.maximum(above, 0.0) / np.maximum(below, FLOOR**2))
    root = np.sqrt(np.abs(scaled))
    inverse = np.where(kept, 1 / np.where(kept, root, 1.0), 0.0)
    if combine == "mean":
        number = np.einsum("ij,jl,li->i", allowed * 1.0, kept * 1.0, allowed * 1.0, optimize=True)
        return np.einsum("ij,jl,li->i", root, inverse, root, optimize=True) / np.maximum(number, 1.0)
    first, second = np.nonzero(np.triu(kept))
    sizes = np.zeros(len(scaled))
    for i, row in enumerate(root):
        mine = allowed[i, first] & allowed[i, second]
        if mine.any():
            sizes[i] = np.median((row[first] * row[second] * inverse[first, second])[mine])
    return sizes


def misfit(missed: Floats, variance: Floats, compared: npt.NDArray[np.bool_]) -> float:
    """How many times chance correlations miss what one class explains: their mean square in variances, at least 1."""
    free = compared.sum() / 2 - compared.any(axis=1).sum()
    squares = (missed**2 / variance)[compared].sum() / 2
    return max(float(squares / free), 1.0) if free > 0 else 1.0


def signs(scaled: Floats, expected: Floats) -> Floats:
    """Signs of a from scaled_ij = a_i a_j: those of its leading eigenvector, turned to agree with what is expected.

    scaled: (m, m), 0 where not to be compared; expected: (m,). A function the eigenvector does not reach has the sign
    that is expected. returns: (m,) of -1, 1.
    """
    leading = np.linalg.eigh(scaled)[1][:, -1]
    leading = leading * (1.0 if leading @ expected >= 0 else -1.0)
    unreached = np.abs(leading) < UNREACHED * np.abs(leading).max(initial=FLOOR)
    return np.where(np.where(unreached, expected, leading) < 0, -1.0, 1.0)
