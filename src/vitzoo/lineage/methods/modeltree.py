"""MoTHer as in kschuerholt/ModelTree (2024), by an author of the zoo's paper and perhaps behind its Table 3.

It differs from Appendix B: the L2 distance of every layer is scaled to [0, 1] over all pairs of all models and the
layers are averaged, so what is far apart decides what near distances look like; Ward's clusters are of the rows of
that matrix; the mean distance counts the zeros of the diagonal; λ = 0.4.
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.methods.mother import directed, each

SHARE = 0.4  # λ


def modeltree(evidence: Evidence, trees: int, rising: bool = True, share: float = SHARE) -> np.ndarray:
    """Return each model's parent [n]; the number of trees must be known."""
    matrices = evidence.within("matrices")
    distances = scaled(np.sqrt(evidence.squared[matrices])).mean(axis=0)
    kurtosis = evidence.kurtosis(matrices).mean(axis=0)
    clusters = fcluster(linkage(pdist(distances), "ward"), trees, "maxclust")

    def tree(which: np.ndarray) -> np.ndarray:
        inside = distances[np.ix_(which, which)]
        return directed(inside, kurtosis[which], share * inside.mean(), rising)

    return each(clusters, tree)


def scaled(values: np.ndarray) -> np.ndarray:
    """Scale each of values [L, n, n] to [0, 1]."""
    low, high = values.min(axis=(1, 2), keepdims=True), values.max(axis=(1, 2), keepdims=True)
    return (values - low) / np.where(high > low, high - low, 1.0)
