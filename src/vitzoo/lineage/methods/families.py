"""Which models belong together: those whose weights correlate, because they began alike.

Weights that were initialised apart are uncorrelated whatever they were trained on, and training keeps much of where it
began. Correlation does not care how far a model went, as distances do: a child that was trained hard may lie farther
from its parent than two parents from one another.
"""

import numpy as np
from scipy.sparse.csgraph import connected_components

from vitzoo.lineage.evidence import Evidence

ALIKE = 0.1  # correlation above which two models have begun alike; chance gives 1/√P


def families(evidence: Evidence) -> np.ndarray:
    """Number the families [n]."""
    return connected_components(correlation(evidence) > ALIKE, directed=False)[1]


def correlation(evidence: Evidence) -> np.ndarray:
    """Return the correlations of models' matrices [n, n], each matrix centred."""
    chosen = evidence.within("matrices")
    count, mean, m2 = np.moveaxis(evidence.moments[chosen][..., :3], -1, 0)
    norms = m2 + count * mean**2
    inner = (norms[:, :, None] + norms[:, None, :] - evidence.squared[chosen]) / 2
    inner -= count[:, :, None] * mean[:, :, None] * mean[:, None, :]
    scale = np.sqrt(m2.sum(axis=0))
    return inner.sum(axis=0) / (scale[:, None] * scale[None, :])
