"""Nearest neighbour and spectral direction, as in TensorLock's method of the MDGBench benchmark.

Models are near by the mean over matrices of their L2 distance; a parent has the lower effective rank (Roy and
Vetterli 2007), exp of the entropy of the normalised singular values, averaged over matrices. Each model's parent is
the nearest one of lower rank in its cluster, which is the cheapest directed tree that never points the wrong way.
"""

from collections.abc import Iterable

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.methods.mother import each
from vitzoo.lineage.truth import NONE


def spectral(evidence: Evidence, ranks: np.ndarray, trees: int) -> np.ndarray:
    """Return each model's parent [n], given the models' mean effective ranks [n]."""
    distances = np.sqrt(evidence.squared[evidence.within("matrices")]).mean(axis=0)
    clusters = fcluster(linkage(squareform(distances, checks=False), "average"), trees, "maxclust")

    def tree(which: np.ndarray) -> np.ndarray:
        rank = ranks[which]
        allowed = np.where(rank[None, :] > rank[:, None], distances[np.ix_(which, which)].T, np.inf)  # [parent, child]
        parents = allowed.argmin(axis=0)
        return np.where(np.isfinite(allowed.min(axis=0)), parents, NONE)

    return each(clusters, tree)


def effective_ranks(matrices: Iterable[np.ndarray]) -> np.ndarray:
    """Return the mean effective rank [n] over matrices, each float32 [n, rows, columns].

    >>> effective_ranks([np.stack([np.eye(4), np.diag([1.0, 1, 0, 0])])]).round(6).tolist()
    [4.0, 2.0]
    """
    ranks = []
    for x in matrices:
        values = np.linalg.svd(x, compute_uv=False).astype(np.float64)
        share = values / values.sum(axis=1, keepdims=True)
        ranks.append(np.exp(-(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=1)))
    return np.mean(ranks, axis=0)
