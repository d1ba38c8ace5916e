"""What in the votes, or in a fitted model, gives reason for doubt: sentences, each with what to do about it.

Reads evidence and, if there is one, a fitted model. Nothing here stops a model; it says where its figures rest on
assumptions rather than on votes.

Source: three functions that overlap are needed, and enough for two classes, Dawid & Skene 1979, Allman, Matias & Rhodes
2009; latent classes are known only up to their names, ibid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from threadpoolctl import threadpool_limits

from consilience.label_models.base import BaseLabelModel, Evidence, Floats
from consilience.label_models.dawid_skene import prior_tables
from consilience.label_models.edges import components
from consilience.labeling.matrix import FunctionInfo
from consilience.metrics import wilson

SHARED = 5.0  # rows two functions must both vote on to tell anything of each other
SAME = 0.98  # share of equal votes from which two functions are nearly one ...
SAME_ROWS = 0.9  # ... if they also vote on nearly the same rows
ENOUGH = 20.0  # votes below which nothing is said of a function
GOLD_VOTES = 10.0  # of one function with gold, from which it can contradict the model
GOLD_ENOUGH = 30.0  # covered rows of gold from which names of classes and accuracies are anchored
COLLAPSED = 0.2  # a label that gets less than this times its share of the votes
VOTED_FOR = 0.02  # ... if that is at least this
ALIKE = 0.08  # nats a vote by which the better of two mirrored solutions must be more probable: 55% right gives that
DIFFERENT = 0.1  # nats by which some table must tell two classes apart
NAMED = 4  # names listed in a sentence
FAR = 3.5  # standard errors from gold at which a learned accuracy is contradicted: 1 in 20 for 100 true ones
OWN_MIND = frozenset({"votes", "python", "recorded"})  # kinds whose functions need not be alike


def warnings_of(
    evidence: Evidence, functions: Sequence[str | FunctionInfo], model: BaseLabelModel | None = None
) -> list[str]:
    """Reasons to doubt what a label model learns, or has learned, from votes; none is good news.

    functions: names or infos, in column order. model: fitted, or None to look at the votes alone.
    returns: sentences, each ending with "Fix: " and what to do. O(p m^2), and one _proba.

    >>> from consilience import LabelMatrix
    >>> from consilience.label_models.base import gather
    >>> matrix = LabelMatrix.from_votes([[0, -1], [-1, 1]] * 30, ["ham", "spam"])
    >>> for line in warnings_of(gather(matrix, None), matrix.names):
    ...     print(line.split(". ")[0])
    No two functions vote on the same rows, so votes say nothing of how good each is
    """
    infos = [f if isinstance(f, FunctionInfo) else FunctionInfo(f) for f in functions]
    names = [info.name for info in infos]
    overlap = _overlap(evidence)
    found = [
        *_too_few(evidence, overlap),
        *_apart(evidence, names, overlap),
        *_labels(evidence),
        *_alike(evidence, infos, overlap),
    ]
    if model is not None:
        proba = model._proba(evidence.votes)
        found += [*_swapped(evidence, model, proba), *_collapsed(evidence, proba), *_against_gold(evidence, model)]
    return found


# the votes


def _overlap(evidence: Evidence) -> Floats:
    """How many rows two functions both vote on; on the diagonal, one votes on. returns: (m, m)."""
    said = (evidence.votes >= 0).astype(np.float64)
    with threadpool_limits(1, "blas"):
        return np.asarray((said * evidence.counts[:, None]).T @ said)


def _gold_rows(evidence: Evidence) -> float:
    return float(evidence.counts[(evidence.known >= 0) & evidence.covered].sum())


def _too_few(evidence: Evidence, overlap: Floats) -> Iterator[str]:
    together = ((overlap >= SHARED) & ~np.eye(len(overlap), dtype=bool)).any(axis=1)
    n = int(together.sum())
    if n >= 3 or _gold_rows(evidence) >= GOLD_ENOUGH or evidence.n_classes == 1:
        return
    if n == 0:
        yield (
            "No two functions vote on the same rows, so votes say nothing of how good each is. "
            "Fix: write functions that overlap, give some gold, or say what accuracies you expect."
        )
    else:
        yield (
            f"Only {n} functions vote on rows of one another, and three are needed to tell how good each is. "
            "Fix: write more functions that overlap with these, give some gold, or say what accuracies you expect."
        )


def _apart(evidence: Evidence, names: list[str], overlap: Floats) -> Iterator[str]:
    votes = np.flatnonzero(np.diag(overlap) > 0)
    if len(votes) < 3 or _gold_rows(evidence) >= GOLD_ENOUGH:
        return
    meet = np.argwhere(np.triu(overlap[np.ix_(votes, votes)] >= SHARED, 1)).tolist()
    parts = components([(first, second) for first, second in meet], len(votes))
    groups = sorted(([names[votes[place]] for place in part] for part in parts), key=len, reverse=True)
    alone = [group[0] for group in groups if len(group) == 1]
    groups = [group for group in groups if len(group) > 1]
    if len(groups) > 1:
        yield (
            f"The functions fall into {len(groups)} groups that never vote on the same rows: "
            f"{'; '.join(_listed(group) for group in groups[:NAMED])}. Nothing says how good one group is beside "
            "another. Fix: write functions that vote on rows of more than one group, or give gold for rows of each."
        )
    if alone and groups:
        yield (
            f"{_listed(alone)} {'votes' if len(alone) == 1 else 'vote'} where hardly any other function does, so "
            f"{'its accuracy is' if len(alone) == 1 else 'their accuracies are'} what was assumed, not learned. "
            "Fix: write functions that overlap, or give gold for these rows."
        )


def _labels(evidence: Evidence) -> Iterator[str]:
    if evidence.n_classes == 1:
        return
    names = list(evidence.labels)
    said = np.unique(evidence.votes[evidence.votes >= 0])
    allowed = evidence.meanings[said].any(axis=0) if len(said) else np.zeros(len(names), bool)
    never = [name for name, spoken in zip(names, allowed, strict=True) if not spoken]
    if len(said) == 1:
        yield (
            f"All votes are for {evidence.labels.votes[int(said[0])]!r}, so a vote cannot be told from its absence. "
            "Fix: write functions for the other labels too."
        )
    elif len(said) and never:
        yield (f"No function ever votes for {_listed(never)}. Fix: write functions for it, or leave the label out.")


def _alike(evidence: Evidence, infos: list[FunctionInfo], overlap: Floats) -> Iterator[str]:
    own = np.diag(overlap)
    union = np.maximum(own[:, None] + own - overlap, 1e-300)
    near = (overlap >= ENOUGH) & (overlap / union >= SAME_ROWS) & (_same(evidence) >= SAME * overlap)
    pairs = [(i, j) for i, j in np.argwhere(np.triu(near, 1))]
    if pairs:
        shown = ", ".join(f"{infos[i].name} and {infos[j].name}" for i, j in pairs[:NAMED])
        more = f", and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
        yield (
            f"Nearly the same votes on the same rows: {shown}{more}. A model counts each as evidence of its own. "
            "Fix: keep one of each pair, or join them in one function."
        )
    kinds = {info.kind for info in infos}
    if len(infos) >= 3 and len(kinds) == 1 and not kinds & OWN_MIND:
        yield (
            f"All {len(infos)} functions are of one kind ({infos[0].kind}), so they may be wrong together, which votes "
            "cannot show. Fix: add a function that looks at something else, or give some gold."
        )


def _same(evidence: Evidence) -> Floats:
    """On how many rows two functions say the same. returns: (m, m)."""
    total = np.zeros((evidence.votes.shape[1],) * 2)
    with threadpool_limits(1, "blas"):
        for code in range(evidence.n_symbols):
            said = (evidence.votes == code).astype(np.float64)
            total += (said * evidence.counts[:, None]).T @ said
    return total


# a fitted model


def _swapped(evidence: Evidence, model: BaseLabelModel, proba: Floats) -> Iterator[str]:
    if evidence.n_classes == 1 or _gold_rows(evidence) >= GOLD_ENOUGH:
        return
    names = list(evidence.labels)
    votes = evidence.class_votes.sum(axis=1) * evidence.counts
    agree = (evidence.class_votes * evidence.counts[:, None]).T @ proba  # votes for a label, by class as learned
    if votes.sum() > 0:
        chance = 1 / evidence.n_classes
        right = float(np.trace(agree) / votes.sum())
        below = np.nan_to_num(model.accuracies_, nan=1.0) < chance
        cast = evidence.counts @ (evidence.votes >= 0)
        if cast[below].sum() > cast.sum() / 2:
            yield (
                f"The model takes functions that cast {cast[below].sum() / cast.sum():.0%} of the votes to be right "
                f"less often than chance, and {right:.0%} of all votes to be right: it may have swapped labels. "
                "Fix: give some gold, or say what accuracies you expect."
            )
    for c, d in combinations(range(len(names)), 2):
        straight, crossed = agree[c, c] + agree[d, d], agree[c, d] + agree[d, c]
        if crossed > straight and crossed >= ENOUGH:
            yield (
                f"What the model calls {names[c]!r} fits votes for {names[d]!r} better, and the other way round: it "
                "may have swapped them. Fix: give some gold for both, or say what accuracies you expect."
            )
        elif _mirrors(evidence, model, c, d):
            yield (
                f"The model would fit the votes as well with {names[c]!r} and {names[d]!r} swapped: between these, "
                "votes are hardly better than chance in its eyes. Fix: give some gold for both."
            )


def _mirrors(evidence: Evidence, model: BaseLabelModel, c: int, d: int) -> bool:
    """Whether the solution with two classes swapped is as probable.

    Swapped, the model gives the votes the same likelihood by construction; what differs is how probable its tables are
    beforehand, if functions are believed to be right 70% of the time. That difference, in nats for each vote for either
    class, is nothing where functions are no better than chance between the two.
    """
    sums = model._sums(evidence.votes)
    if sums is None or evidence.n_classes < 2:
        return False
    believed = prior_tables(evidence)[:, [c, d]][:, :, [c + 1, d + 1]]  # (m, class, what is said)
    learned = sums.tables[:, [c, d]][:, :, [c + 1, d + 1]]
    cast = (evidence.votes == c) | (evidence.votes == d)
    if evidence.counts @ cast.any(axis=1) < ENOUGH or np.abs(learned[:, 0] - learned[:, 1]).max() < DIFFERENT:
        return False  # too few votes to say, or classes that are one in the model's eyes, which is another matter
    gap = (believed * (learned - learned[:, ::-1])).sum()
    return bool(gap < ALIKE * believed.sum())


def _collapsed(evidence: Evidence, proba: Floats) -> Iterator[str]:
    rows = evidence.counts * evidence.covered
    cast = evidence.counts @ evidence.class_votes
    if evidence.n_classes == 1 or cast.sum() < ENOUGH:
        return
    given, voted = rows @ proba / rows.sum(), cast / cast.sum()
    for name, share, votes in zip(evidence.labels, given, voted, strict=True):
        if votes >= VOTED_FOR and share < COLLAPSED * votes:
            yield (
                f"{name!r} has {votes:.1%} of the votes, but the model gives it {share:.1%} of the rows with votes: it "
                "may have collapsed onto other labels. Fix: give a class_balance or some gold, or count (MajorityVote)."
            )


def _against_gold(evidence: Evidence, model: BaseLabelModel) -> Iterator[str]:
    scored = evidence.known >= 0
    votes, counts, known = evidence.votes[scored], evidence.counts[scored], evidence.known[scored]
    off: list[tuple[float, str]] = []
    for name, learned, column in zip(model.function_names_, model.accuracies_, votes.T, strict=True):
        said = column >= 0
        n = float(counts[said].sum())
        if n < GOLD_VOTES or np.isnan(learned):
            continue
        right = float(counts[said] @ evidence.meanings[column[said], known[said]])
        wide = wilson(right, n, FAR)
        if not wide.low <= learned <= wide.high:
            far = f"{name} ({learned:.2f}, but right on {right / n:.2f} of its {n:,.0f} votes with gold)"
            off.append((-abs(learned - right / n), far))
    if off:
        worst = _listed([text for _, text in sorted(off)])
        yield (
            f"Gold contradicts the accuracies of {len(off)} of {len(votes.T)} functions as the model has them "
            f"({model.accuracy_means}): {worst}. "
            "Fix: let the model use this gold: fit(..., gold=...), `consilience fit --gold`."
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
