"""How alike members behave: the share of equal predictions, pair by pair, and Cohen's κ.

Reference: the paper's κ_aggr (Section 3.2) is the plain share of equal argmax; Cohen (1960) corrects it for chance.
"""

from collections.abc import Sequence

import numpy as np


def agreement(predictions: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of equal predictions and Cohen's κ of all pairs, float64 [M, M] each.

    ``predictions`` are whole numbers [M, N] below ``classes``. κ = (p_o − p_e) / (1 − p_e), where p_e is the agreement
    that the two members' own frequencies of classes would give by chance; NaN where both always say the same class.

    >>> share, kappa = agreement(np.array([[0, 1, 1, 0], [0, 1, 0, 0]]), classes=2)
    >>> float(share[0, 1]), round(float(kappa[0, 1]), 3)
    (0.75, 0.5)
    """
    predictions = np.asarray(predictions)
    members, images = predictions.shape
    counts = np.stack([np.bincount(row, minlength=classes) for row in predictions])
    equal = np.empty((members, members))
    for i, row in enumerate(predictions):  # small whole numbers: comparing them is faster than any matrix product
        equal[i, i:] = equal[i:, i] = (predictions[i:] == row).sum(axis=1)
    observed = equal / images
    chance = (counts @ counts.T) / images**2
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = (observed - chance) / (1 - chance)
    return observed, np.where(chance < 1, kappa, np.nan)


def between(named: Sequence[tuple[str, np.ndarray] | None], classes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return agreement and κ [M, M] among members that predicted different things or nothing.

    ``named`` gives for each member the name of the images it was evaluated on and its predictions [N], or None.
    Pairs without common images are NaN; the diagonal is 1 where there are predictions.
    """
    size = len(named)
    share, kappa = np.full((size, size), np.nan), np.full((size, size), np.nan)
    by_images: dict[tuple[str, int], list[int]] = {}
    for i, entry in enumerate(named):
        if entry is not None:
            by_images.setdefault((entry[0], len(entry[1])), []).append(i)
    for places in by_images.values():
        stacked = np.stack([entry[1] for i in places if (entry := named[i]) is not None])
        square = np.ix_(places, places)
        share[square], kappa[square] = agreement(stacked, max(classes[i] for i in places))
    return share, kappa
