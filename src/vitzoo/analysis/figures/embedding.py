"""From pairwise distances to points: classical scaling, which is PCA of the vectors behind the distances, and t-SNE.

References: Torgerson, "Multidimensional scaling: I. Theory and method", Psychometrika 17, 1952 (double centring);
Gower, Biometrika 53, 1966 (equal to PCA for Euclidean distances); van der Maaten and Hinton, JMLR 9, 2008 (t-SNE).
"""

from dataclasses import dataclass

import numpy as np

from vitzoo.errors import InputError

PERPLEXITIES = (5.0, 50.0)  # the range that van der Maaten and Hinton recommend
FEWEST = 8  # members from which neighbourhoods say more than the distances themselves
COMPONENTS = 50  # that t-SNE sees; van der Maaten and Hinton reduce to 30, and later codes to 50
EXACT = 600  # members up to which t-SNE is computed exactly, and so the same whatever the number of threads


@dataclass(frozen=True, eq=False)
class Scores:
    """Principal components of some of n members.

    index: [k] which members these are, rising: the largest set with known distances to each other.
    scores: [k, c] coordinates on the c axes along which they vary, the widest first; centred.
    shares: [c] share of the total variance on each axis.
    """

    index: np.ndarray
    scores: np.ndarray
    shares: np.ndarray


def classical_scaling(distances: np.ndarray) -> Scores:
    """Return principal components of n points from their distances [n, n], NaN between those that have none.

    For Euclidean distances these are the scores of PCA up to the sign of an axis, which is chosen so that the
    largest coordinate is positive. InputError if no point has a known distance.

    >>> found = classical_scaling(np.array([[0.0, 3.0], [3.0, 0.0]]))
    >>> found.scores.round(6).tolist(), found.shares.round(6).tolist()
    ([[1.5], [-1.5]], [1.0])
    """
    index = comparable(distances)
    if len(index) == 0:
        raise InputError("No member has a known distance to another, so there is no map. Measure a zoo with weights.")
    squares = distances[np.ix_(index, index)].astype(np.float64) ** 2
    centred = squares - squares.mean(0) - squares.mean(1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-0.5 * centred)
    values, vectors = values[::-1], vectors[:, ::-1]
    # What is left of the axes on which nothing varies is the rounding of n float64 sums.
    kept = values > max(values[0], 0.0) * len(index) * 1e-12
    scores = vectors[:, kept] * np.sqrt(values[kept])
    top = np.abs(scores).argmax(0)
    signs = np.sign(scores[top, np.arange(scores.shape[1])])
    return Scores(index, scores * signs, values[kept] / values[kept].sum())


def comparable(distances: np.ndarray) -> np.ndarray:
    """Return the largest set of points with known distances to each other, as a rising index.

    Members of one shape know their distances to each other and to no others, so rows of a set are known alike.

    >>> nan = float("nan")
    >>> comparable(np.array([[0.0, nan, 2.0], [nan, 0.0, nan], [2.0, nan, 0.0]])).tolist()
    [0, 2]
    """
    known = np.isfinite(distances)
    if not known.any():
        return np.zeros(0, dtype=int)
    counts = np.where(known.diagonal(), known.sum(1), 0)
    return np.flatnonzero(known[counts.argmax()] & known.diagonal())


def neighbours(scores: np.ndarray, family: float, seed: int = 0) -> np.ndarray | None:
    """Return a neighbour embedding [k, 2] of principal components [k, c]; None of too few members to have neighbours.

    ``family`` is the usual number of members that belong together. t-SNE counts a quarter of them as neighbours: were
    it more than all of them, other families would be neighbours, too, and each family would shrink to a point.
    Seeded, from the first two components: the same scores give the same picture, in which distances between groups
    and sizes of groups mean nothing.
    """
    from sklearn.manifold import TSNE

    count = len(scores)
    if count < FEWEST or scores.shape[1] < 2:
        return None
    low, high = PERPLEXITIES
    perplexity = min(max(low, min(high, family / 4)), (count - 1) / 3)
    method = "exact" if count <= EXACT else "barnes_hut"
    model = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, method=method)
    return model.fit_transform(scores[:, :COMPONENTS])
