"""What says nothing about a method: predict no edge; the star around known roots; a chain by norm in each family."""

import numpy as np

from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.methods.families import families
from vitzoo.lineage.methods.mother import each
from vitzoo.lineage.truth import NONE, Truth


def nothing(evidence: Evidence) -> np.ndarray:
    """Predict no edge."""
    return np.full(len(evidence), NONE)


def known_star(truth: Truth) -> np.ndarray:
    """Hang every model at the true root of its true tree, if it is there."""
    parents = np.full(len(truth.tree), NONE)
    for root in np.flatnonzero(truth.roots):
        parents[(truth.tree == truth.tree[root]) & ~truth.roots] = root
    return parents


def chain(evidence: Evidence) -> np.ndarray:
    """Chain each family by norm, the least first."""

    def tree(which: np.ndarray) -> np.ndarray:
        order = np.argsort(evidence.norms()[which])
        parents = np.full(len(which), NONE)
        parents[order[1:]] = order[:-1]
        return parents

    return each(families(evidence), tree)
