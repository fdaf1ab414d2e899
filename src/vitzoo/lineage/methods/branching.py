"""Given where training began, what comes directly from there and what from a model in between.

For a model at squared distance s_j from the root the only other candidate is the nearest model that lies nearer to the
root, i. A continued training keeps all that i has and adds steps that are short by then; a sibling shares a part of
the way, at most, and ends elsewhere. Four numbers without a scale tell them apart, with the coefficients of a logistic
regression that was fitted on one zoo, nano, and is used on all:

* how much nearer i is than the root, log(d²_ij / s_j);
* how the step compares with the one that led to i, log(d_ij / d_hi), where h is i's own candidate;
* how much of i's way j went, log β with β = ⟨x_i - r, x_j - r⟩ / s_i: 1 or more for what continues;
* the cosine of the two ways.
"""

import numpy as np

from vitzoo.lineage.truth import NONE

#: Coefficients of the four numbers, and the intercept: positive for "from i". `benchmarks/lineage_fit.py` prints them.
NEARER, LONGER, FARTHER, COSINE, BIAS = -2.97, -3.49, 9.4, 6.7, -7.7


def branch(squared: np.ndarray, root: int) -> np.ndarray:
    """Return the parents [n] in a tree with this root, given squared distances [n, n]."""
    candidate = nearest_inside(squared, root)
    odds = features(squared, root, candidate) @ (NEARER, LONGER, FARTHER, COSINE) + BIAS
    parents = np.where((candidate != NONE) & (odds > 0), candidate, root)
    parents[root] = NONE
    return parents


def nearest_inside(squared: np.ndarray, root: int) -> np.ndarray:
    """Return for each model the nearest one that is nearer to the root than itself, but the root; -1 if none is."""
    s = squared[root]
    allowed = (s[:, None] < s[None, :]) & (np.arange(len(s)) != root)[:, None]
    distances = np.where(allowed, squared, np.inf)
    found = distances.argmin(axis=0)
    return np.where(allowed.any(axis=0), found, NONE)


def features(squared: np.ndarray, root: int, candidate: np.ndarray) -> np.ndarray:
    """Return the four numbers [n, 4] of each model and its candidate; 0 where there is none."""
    s, n = squared[root], len(squared)
    found = np.zeros((n, 4))
    j = np.flatnonzero(candidate != NONE)
    i = candidate[j]
    h = np.where(candidate[i] == NONE, root, candidate[i])
    h = np.where(squared[h, i] < s[i], h, root)
    inner = (s[i] + s[j] - squared[i, j]) / 2
    tiny = np.finfo(float).tiny
    found[j, 0] = np.log((squared[i, j] + tiny) / (s[j] + tiny))
    found[j, 1] = np.clip(np.log((squared[i, j] + tiny) / (squared[h, i] + tiny)) / 2, -3, 3)
    found[j, 2] = np.clip(np.log(np.maximum(inner / (s[i] + tiny), 0.05)), -2, 1.5)
    found[j, 3] = inner / np.sqrt(s[i] * s[j] + tiny)
    return found
