"""Our method: families of models that began alike, trees where one came of another, and in each tree one root.

Squared distances add up along a training and across a fork, so the cheapest spanning tree of them joins what is
related. Where its edges are long and lean neither way, two began alike and neither came from the other: there it is
cut. One decision a tree, where training began, gives the direction of all its edges. Then each model continues another
one or comes directly from there; where that model is missing, it has no parent.
"""

from dataclasses import dataclass

import numpy as np

from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.methods.branching import Offers, continues, offers
from vitzoo.lineage.methods.families import families
from vitzoo.lineage.methods.rooting import leans, root
from vitzoo.lineage.methods.tree import pieces, spanning
from vitzoo.lineage.truth import NONE

FAR = 0.02  # of the squared norm: shorter edges lie within one training
LEVEL = 0.6  # lean, below which a far edge joins two that began alike


@dataclass(frozen=True, eq=False)
class Rooted:
    """A tree's models as indices, their offers, and which of them is the root, or the nearest to a missing one."""

    which: np.ndarray
    offers: Offers
    root: int
    present: bool

    def parents(self, continuing: np.ndarray) -> np.ndarray:
        """Return the parents [len(which)] as indices into all models."""
        origin = self.which[self.root] if self.present else NONE
        found = np.where(continuing, self.which[self.offers.candidate], origin)
        found[self.root] = NONE
        return found


def spider(evidence: Evidence, heads: np.ndarray | None = None) -> np.ndarray:
    """Return each model's parent [n]; nothing but the backbones' weights need be known.

    Equal models count once: all but the first of them are children of the first. ``heads`` [n] may number the shapes of
    heads: a new head is put on where fine-tuning begins, so a model whose shape is its own in a tree is the root, and
    what continues another one has its shape.
    """
    first = firsts(evidence.total)
    unique = np.flatnonzero(first == np.arange(len(first)))
    parents = np.where(first == np.arange(len(first)), NONE, first)
    shapes = np.zeros(len(first), int) if heads is None else heads
    inside = distinct(evidence.take(unique) if len(unique) < len(first) else evidence, shapes[unique])
    parents[unique] = np.where(inside == NONE, NONE, unique[inside])
    return parents


def distinct(evidence: Evidence, heads: np.ndarray) -> np.ndarray:
    """Return the parents [n] of models of which no two are equal, and whose shapes of heads have these numbers [n]."""
    matrices = evidence.within("matrices")
    parts = evidence.squared[matrices]
    size = sum(part.size for part, chosen in zip(evidence.parts, matrices, strict=True) if chosen)
    lean = leans(evidence.total, evidence.norms())
    number = trees(evidence)
    rooted = []
    for which in (np.flatnonzero(number == k) for k in np.unique(number)):
        square = np.ix_(which, which)
        rooted.append(_rooted(which, parts[:, *square], lean[square], evidence.norms()[which], size, heads[which]))
    parents = np.full(len(evidence), NONE)
    continuing = np.split(
        continues(np.concatenate([tree.offers.ratio for tree in rooted])),
        np.cumsum([len(tree.which) for tree in rooted])[:-1],
    )
    for tree, yes in zip(rooted, continuing, strict=True):
        parents[tree.which] = tree.parents(yes)
    return parents


def firsts(squared: np.ndarray) -> np.ndarray:
    """Return for each model the first one that equals it [n].

    >>> firsts(np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])).tolist()
    [0, 1, 0]
    """
    return (squared == 0).argmax(axis=1)


def trees(evidence: Evidence) -> np.ndarray:
    """Number the trees [n]: families, cut where two began alike."""
    matrices = evidence.within("matrices")
    squared, norms = evidence.squared[matrices].sum(axis=0), evidence.norms(matrices)
    family, edges = families(evidence), np.zeros(squared.shape, bool)
    for number in np.unique(family):
        square = np.ix_(*[np.flatnonzero(family == number)] * 2)
        edges[square] = spanning(squared[square])
    apart = (np.abs(leans(squared, norms)) < LEVEL) & (squared > FAR * np.minimum(norms[:, None], norms[None, :]))
    return pieces(edges & ~apart)


def _rooted(
    which: np.ndarray, parts: np.ndarray, lean: np.ndarray, norms: np.ndarray, size: int, heads: np.ndarray
) -> Rooted:
    """Find a tree's root and who may continue whom."""
    alone = np.bincount(heads)[heads] == 1 if len(np.unique(heads)) > 1 else np.zeros(len(heads), bool)
    best, present = root(parts.sum(axis=0), lean, norms, size, alone if alone.any() else ~alone)
    found = offers(parts, best)
    same = heads[found.candidate] == heads
    return Rooted(which, Offers(found.candidate, np.where(same, found.ratio, -np.inf)), best, present)
