"""Find dependencies in the inverse covariance of votes: sparse where functions depend, of low rank where classes speak.

Reads patterns of votes, writes pairs of functions. No model of the votes is fitted, so this is the way that assumes
least of them, and the least exact; structure.py offers it for comparison.

Source: Varma et al. 2019 (robust PCA of the inverse covariance); splitting as in Boyd et al. 2011 (ADMM).
Departs: any number of classes (a column for each thing a function says; its block of the sparse part is shrunk as one,
and the diagonal blocks are free); correlations instead of covariances, shrunk towards the identity because votes that
exclude each other make them singular; the threshold on the result is the elbow of its path.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consilience.errors import ModelError
from consilience.label_models.base import Evidence, Floats
from consilience.label_models.dependency_paths import Path, Scored, elbow, noise_floor, path_of
from consilience.label_models.residual_search import pairwise_shares

Places = npt.NDArray[np.intp]

SHRINK = 0.02  # least share of the identity in the correlations
LOW_RANK = 0.5  # price of the low-rank part, in units of 1/sqrt(columns)
SPARSE = 0.5  # price of the sparse part, likewise
STEPS = 300
MAX_COLUMNS = 600  # a minute; beyond it grows with the cube
CLOSE = 1e-5


def robust_pca_dependencies(evidence: Evidence, min_strength: float) -> tuple[Scored, Path, float]:
    """Pairs with the size of their block of the sparse part, the path, and the threshold chosen. O(steps columns^3)."""
    m, columns = evidence.votes.shape[1], evidence.votes.shape[1] * evidence.n_symbols
    if columns > MAX_COLUMNS:
        raise ModelError(
            f"{m} functions that can say {evidence.n_symbols} things are too many for robust PCA.\n"
            f"Fix: use method='residual', or give functions whose number times labels is at most {MAX_COLUMNS}."
        )
    with threadpool_limits(1, "blas"):
        correlation, block = vote_correlations(evidence)
        sparse = split(correlation, block)[0] if len(block) else correlation
    size = np.zeros((m, m))
    np.add.at(size, (block[:, None], block[None, :]), sparse**2)
    size = np.triu(np.sqrt(size), 1)
    path = path_of(size, max(min_strength, noise_floor(m, float(evidence.counts.sum()))))
    chosen = path[elbow(path, m)][0]
    found = {(int(a), int(b)): float(size[a, b]) for a, b in np.argwhere(size >= chosen)}
    return found, path, chosen


def vote_correlations(evidence: Evidence) -> tuple[Floats, Places]:
    """Correlations of what functions say, shrunk; and whose each column is. Columns that never vary are left out."""
    m, s = evidence.votes.shape[1], evidence.n_symbols
    joint = pairwise_shares(evidence)[:, 1:, :, 1:].reshape(m * s, m * s)
    share = np.diag(joint)
    kept = np.flatnonzero((share > 0) & (share < 1))
    block = np.repeat(np.arange(m), s)[kept]
    covariance = (joint - np.outer(share, share))[np.ix_(kept, kept)]
    spread = np.sqrt(np.diag(covariance))
    shrink = max(SHRINK, len(kept) / (len(kept) + float(evidence.counts.sum())))
    return (1 - shrink) * covariance / np.outer(spread, spread) + shrink * np.eye(len(kept)), block


def split(correlation: Floats, block: Places) -> tuple[Floats, Floats]:
    """Sparse and low-rank part whose difference is about the inverse of the correlations.

    Least tr(R C R) / 2 - tr R + prices, R = sparse - low_rank. correlation: (d, d). returns: two (d, d).
    """
    d = len(block)
    values, vectors = np.linalg.eigh(correlation)
    rho = 1.0
    bend = (values[:, None] + values) / 2 + rho
    sparse, low, dual = np.eye(d), np.zeros((d, d)), np.zeros((d, d))
    price = 1 / np.sqrt(max(d, 1))
    for _ in range(STEPS):
        aim = vectors.T @ (np.eye(d) + rho * (sparse - low - dual)) @ vectors
        inverse = vectors @ (aim / bend) @ vectors.T
        old = sparse - low
        sparse = shrink_blocks(inverse + low + dual, block, SPARSE * price / rho)
        low = shrink_values(sparse - inverse - dual, LOW_RANK * price / rho)
        dual = dual + inverse - sparse + low
        if np.abs(inverse - sparse + low).max() < CLOSE and np.abs(sparse - low - old).max() < CLOSE:
            break
    return sparse, low


def shrink_blocks(table: Floats, block: Places, price: float) -> Floats:
    """Each pair of functions' block made smaller by price, or 0; blocks on the diagonal are kept. table: (d, d)."""
    m = int(block.max(initial=-1)) + 1
    size = np.zeros((m, m))
    np.add.at(size, (block[:, None], block[None, :]), table**2)
    factor = np.maximum(1 - price / np.maximum(np.sqrt(size), 1e-12), 0.0)
    np.fill_diagonal(factor, 1.0)
    shrunk: Floats = table * factor[block[:, None], block[None, :]]
    return shrunk


def shrink_values(table: Floats, price: float) -> Floats:
    """The nearest matrix without negative eigenvalues, each made smaller by price. table: (d, d), symmetric."""
    values, vectors = np.linalg.eigh((table + table.T) / 2)
    kept: Floats = (vectors * np.maximum(values - price, 0.0)) @ vectors.T
    return kept
