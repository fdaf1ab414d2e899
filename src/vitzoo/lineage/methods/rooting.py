"""Where in a tree training began.

Three cues, none of which has a scale. Seen from where training began, no two models stand at an obtuse angle: trainings
that begin alike share a direction at most, while from a model further on the rest lies both behind and ahead. Second,
steps of training hardly correlate with where they start, so the squared norm grows by the squared distance: the *lean*
of a pair is that growth over that distance, 1 from an ancestor to what came of it and -1 the other way. It is noise
for models that are near one another, and counts by how far they are. Third, a root is near to all, in the mean of
logarithms.
"""

import numpy as np

#: Weights of the three cues, by softmax regression on one zoo, nano; `benchmarks/lineage_fit.py` prints them.
ACUTE, LEANING, NEAR = 25.6, 13.5, 1.5
STEEP = 0.1  # cosine, negated, from which an obtuse angle counts in full
LUCK = 3.0  # times 1/√P: the cosine, negated, that chance gives to directions of P numbers
RELIABLE = 0.02  # of the squared norm: squared distance at which a lean counts half
#: Mean obtuseness above which even the best root is none: the model that all came of is not among them.
MISSING = 0.05


def leans(squared: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Return the lean of every pair [n, n], from row to column; 0 for equal ones."""
    return (norms[None, :] - norms[:, None]) / np.where(squared > 0, squared, np.inf)


def root(
    squared: np.ndarray, lean: np.ndarray, norms: np.ndarray, size: int, may: np.ndarray | slice = slice(None)
) -> tuple[int, bool]:
    """Return where training began among models [n], and whether that one is their root rather than just near it.

    ``size`` says over how many numbers the distances are, ``may`` which models can be the root, bool [n].
    """
    candidates = np.arange(len(squared))[may]
    found = [cues(squared, lean, norms, size, candidate) for candidate in candidates]
    best = int(np.argmax(np.array(found) @ (ACUTE, LEANING, NEAR)))
    return int(candidates[best]), -found[best][0] < MISSING


def cues(
    squared: np.ndarray, lean: np.ndarray, norms: np.ndarray, size: int, candidate: int
) -> tuple[float, float, float]:
    """Return a candidate's cues: mean obtuseness, negated and within [-1, 0]; mean lean; mean log nearness."""
    s = np.delete(squared[candidate], candidate)
    if not len(s):
        return 0.0, 0.0, 0.0
    scale = max(float(np.median(s)), np.finfo(float).tiny)
    weight = s / (s + RELIABLE * norms[candidate])
    mean = (weight * np.clip(np.delete(lean[candidate], candidate), -1, 1)).sum() / max(weight.sum(), 1e-9)
    obtuse = np.clip((angles(squared, candidate) + LUCK / np.sqrt(size)) / STEEP, -1, 0)
    return float(obtuse.mean()) if len(obtuse) else 0.0, float(mean), -float(np.log(s + 1e-12 * scale).mean())


def angles(squared: np.ndarray, seen_from: int) -> np.ndarray:
    """Return the cosines between all pairs of other models, seen from one."""
    s = np.delete(squared[seen_from], seen_from)
    between = np.delete(np.delete(squared, seen_from, 0), seen_from, 1)
    scale = np.sqrt(s[:, None] * s[None, :])
    cosines = (s[:, None] + s[None, :] - between) / 2 / np.where(scale > 0, scale, np.inf)
    return cosines[np.triu_indices(len(s), 1)]
