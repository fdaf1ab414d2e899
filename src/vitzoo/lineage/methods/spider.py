"""Our method: families of models that began alike, trees where one came of another, and in each tree one root.

Squared distances add up along a run and across a fork, so the cheapest spanning tree of them joins what is related.
Where its edges are long and lean neither way, two began alike and neither came from the other: there it is cut. One
decision a tree, where it began, then gives the direction of all edges.
"""

import numpy as np

from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.methods.branching import branch
from vitzoo.lineage.methods.families import families
from vitzoo.lineage.methods.mother import each
from vitzoo.lineage.methods.rooting import leans, plausible
from vitzoo.lineage.methods.tree import pieces, spanning
from vitzoo.lineage.truth import NONE

FAR = 0.02  # of the squared norm: shorter edges lie within one training
LEVEL = 0.6  # lean, below which a far edge joins two that began alike


def spider(evidence: Evidence) -> np.ndarray:
    """Return each model's parent [n]; nothing but the weights need be known."""
    matrices = evidence.within("matrices")
    inside, norms = evidence.squared[matrices].sum(axis=0), evidence.norms(matrices)
    lean = leans(evidence.total, evidence.norms())

    def tree(which: np.ndarray) -> np.ndarray:
        square = np.ix_(which, which)
        return grow(inside[square], lean[square])

    return each(trees(families(evidence), inside, norms), tree)


def trees(family: np.ndarray, squared: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Number the trees [n]: families, cut where two began alike."""
    edges = np.zeros(squared.shape, bool)
    for number in np.unique(family):
        square = np.ix_(*[np.flatnonzero(family == number)] * 2)
        edges[square] = spanning(squared[square])
    apart = (np.abs(leans(squared, norms)) < LEVEL) & (squared > FAR * np.minimum(norms[:, None], norms[None, :]))
    return pieces(edges & ~apart)


def grow(squared: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Return the parents [n] within one tree, given squared distances and leans."""
    if len(squared) == 1:
        return np.array([NONE])
    found = [branch(squared, root) for root in range(len(squared))]
    return max(found, key=lambda parents: plausible(parents, squared, lean))
