"""MoTHer recovery of model trees, as the zoo's paper describes it in Appendix B, and what its variants share.

Horwitz, Shul and Hoshen, "Unsupervised Model Tree Heritage Recovery" (ICLR 2025, arXiv 2405.18432): models are
clustered into trees; in each, the cheapest directed tree is taken of distances to which a constant is added where
kurtosis says that an edge points the wrong way.

Appendix B takes L2 distances, k-means, and the mean distance over i ≠ j. It leaves open which layers count (here the
matrices of attention and MLP), λ (here 0.3, as in the original), and whether M_ij is the edge from i or to it. Equation
3 adds the penalty where κ_i > κ_j, so the first reading is ``rising``: kurtosis is taken to rise from parent to child;
the text says that it falls in fine-tuning, which is the other.
"""

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans

from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.methods.arborescence import arborescence
from vitzoo.lineage.truth import NONE

SHARE = 0.3  # λ


def mother(evidence: Evidence, trees: int, rising: bool = True, share: float = SHARE, seed: int = 0) -> np.ndarray:
    """Return each model's parent [n], by Appendix B; the number of trees must be known."""
    clusters = clustered(evidence.total, trees, seed)
    kurtosis = evidence.kurtosis(evidence.within("matrices")).mean(axis=0)
    distances = np.sqrt(evidence.total)

    def tree(which: np.ndarray) -> np.ndarray:
        inside = distances[np.ix_(which, which)]
        n = len(which)
        mean = inside.sum() / max(n * n - n, 1)
        return directed(inside, kurtosis[which], share * mean, rising)

    return each(clusters, tree)


def clustered(squared: np.ndarray, trees: int, seed: int = 0) -> np.ndarray:
    """Number the clusters [n] by k-means; there are as many as trees, or as different models where those are fewer."""
    different = int((squared.argmin(axis=1) == np.arange(len(squared))).sum())
    means = KMeans(min(trees, different), n_init=10, random_state=seed)  # pyright: ignore[reportArgumentType]
    return means.fit_predict(coordinates(squared))


def directed(distances: np.ndarray, kurtosis: np.ndarray, penalty: float, rising: bool) -> np.ndarray:
    """Return the parents [n] of the cheapest tree, where an edge i → j against the direction costs ``penalty`` more."""
    wrong = kurtosis[:, None] > kurtosis[None, :] if rising else kurtosis[None, :] > kurtosis[:, None]
    weights = distances + penalty * wrong
    np.fill_diagonal(weights, np.inf)
    return arborescence(weights)


def each(clusters: np.ndarray, tree: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Join the trees of all clusters: ``tree`` gets the indices of a cluster and returns parents within it."""
    parents = np.full(len(clusters), NONE)
    for cluster in np.unique(clusters):
        which = np.flatnonzero(clusters == cluster)
        inside = tree(which)
        has = inside != NONE
        parents[which[has]] = which[inside[has]]
    return parents


def coordinates(squared: np.ndarray) -> np.ndarray:
    """Return points [n, n] with these squared distances (classical scaling, Torgerson 1952).

    K-means of them is k-means of the weights, since it only asks for distances.
    """
    centred = squared - squared.mean(axis=0)
    centred = -0.5 * (centred - centred.mean(axis=1, keepdims=True))
    values, vectors = np.linalg.eigh((centred + centred.T) / 2)
    return vectors * np.sqrt(np.maximum(values, 0.0))
