"""MoTHer as its authors' program does it for fully fine-tuned vision transformers (eliahuhorwitz/MoTHer).

Only square matrices count: the maps to queries, keys and values and the attention's output. The distance of two models
in a matrix is the largest of its signed differences, scaled by the least and the largest difference of any pair in the
tree; over matrices the largest counts. Clusters are Ward's, of summed mean absolute differences. Kurtosis is that of
the attention's outputs, summed; it is taken to fall from parent to child, or with ``rising`` to rise. λ = 0.3 of the
mean distance, the zeros of the diagonal counted.

The differences are no inner products, so every pair of models is a pass over both: this is what makes it slow.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from vitzoo.lineage.methods.mother import SHARE, directed, each


@dataclass(frozen=True, eq=False)
class Differences:
    """Largest signed difference of i from j [L, n, n] in each square matrix, and mean absolute ones summed [n, n]."""

    largest: np.ndarray
    absolute: np.ndarray


def differences(matrices: Iterable[np.ndarray]) -> Differences:
    """Compare all pairs of models in each square matrix, given as float32 [n, P]."""
    largest, absolute = [], 0.0
    for x in matrices:
        n = len(x)
        top, mean = np.zeros((n, n)), np.zeros((n, n))
        for i in range(n - 1):
            d = x[i] - x[i + 1 :]
            top[i, i + 1 :], top[i + 1 :, i] = d.max(axis=1), -d.min(axis=1)
            mean[i, i + 1 :] = np.abs(d, out=d).mean(axis=1)
        largest.append(top)
        absolute = absolute + mean + mean.T
    return Differences(np.array(largest), np.asarray(absolute))


def official(found: Differences, kurtosis: np.ndarray, trees: int, rising: bool = False) -> np.ndarray:
    """Return each model's parent [n]; ``kurtosis`` [n] is the sum over the attention's outputs."""
    clusters = fcluster(linkage(squareform(found.absolute, checks=False), "ward"), trees, "maxclust")

    def tree(which: np.ndarray) -> np.ndarray:
        distances = _scaled(found.largest[:, which][:, :, which])
        return directed(distances, kurtosis[which], SHARE * distances.mean(), rising)

    return each(clusters, tree)


def _scaled(largest: np.ndarray) -> np.ndarray:
    """Scale the differences of a tree [L, n, n], those of i < j, by the extremes of all pairs; the largest counts."""
    n = largest.shape[1]
    upper = np.triu_indices(n, 1)
    distances = np.zeros((n, n))
    if n > 1:
        top, bottom = largest[:, *upper], -largest[:, *upper[::-1]]
        low, high = bottom.min(axis=1, keepdims=True), top.max(axis=1, keepdims=True)
        distances[upper] = ((top - low) / np.where(high > low, high - low, 1.0)).max(axis=0)
    return distances + distances.T
