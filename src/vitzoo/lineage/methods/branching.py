"""Given where training began, what comes directly from there and what from a model in between.

For a model j the only other candidate is the nearest model that lies nearer to the root, i. What continues i keeps all
of its way, in every part of the network; what began beside it shares a direction at most, and shares it unevenly. So
with β = ⟨x_i - r, x_j - r⟩ / |x_i - r|² of every matrix, which is 1 or a little more for what continues, three numbers
without a scale tell:

* how unevenly i's way is shared: the log of β's standard deviation over matrices, as a share of its mean;
* in which share of the matrices j lacks a part of it, β < 0.95;
* how the step compares with the one that led to i, log(d_ij / d_hi), where h is i's own candidate.

Their weights are a logistic regression's, fitted on one zoo, nano. How common it is at all that a model continues
another differs between collections (checkpoints of a few trainings, or many trainings' last ones), so that is not
fitted but estimated from the models that are asked about, by expectation and maximisation.
"""

from dataclasses import dataclass

import numpy as np

from vitzoo.lineage.truth import NONE

#: Weights of the three numbers, and the intercept: positive for "from i". `benchmarks/lineage_fit.py` prints them.
UNEVEN, LACKING, LONGER, BIAS = -2.39, -9.81, -2.62, -2.8
RARE = 0.02  # the least and, from 1, the largest share of continuations that is believed
WHOLE = 0.95  # β below which a part of the way is lacking


@dataclass(frozen=True, eq=False)
class Offers:
    """Each model's candidate [n], -1 without one, and the log-likelihood ratio that it, not the root, is the parent."""

    candidate: np.ndarray
    ratio: np.ndarray


def offers(parts: np.ndarray, root: int) -> Offers:
    """Find candidates in a tree with this root, given the squared distances [L, n, n] of its matrices."""
    candidate = nearest_inside(parts.sum(axis=0), root)
    ratio = features(parts, root, candidate) @ (UNEVEN, LACKING, LONGER) + BIAS
    return Offers(candidate, np.where(candidate == NONE, -np.inf, ratio))


def nearest_inside(squared: np.ndarray, root: int) -> np.ndarray:
    """Return for each model the nearest one that is nearer to the root than itself, but the root; -1 if none is."""
    s = squared[root]
    allowed = (s[:, None] < s[None, :]) & (np.arange(len(s)) != root)[:, None]
    distances = np.where(allowed, squared, np.inf)
    found = distances.argmin(axis=0)
    return np.where(allowed.any(axis=0), found, NONE)


def features(parts: np.ndarray, root: int, candidate: np.ndarray) -> np.ndarray:
    """Return the three numbers [n, 3] of each model and its candidate; 0 where there is none."""
    squared = parts.sum(axis=0)
    tiny = np.finfo(float).tiny
    found = np.zeros((len(squared), 3))
    j = np.flatnonzero(candidate != NONE)
    i = candidate[j]
    h = np.where(candidate[i] == NONE, root, candidate[i])
    way = parts[:, root, i]
    shared = (way + parts[:, root, j] - parts[:, i, j]) / 2 / np.where(way > 0, way, np.inf)  # [L, len(j)]
    shared = np.where(way > 0, shared, 1.0)
    uneven = shared.std(axis=0) / np.maximum(np.abs(shared.mean(axis=0)), tiny)
    found[j, 0] = np.log(np.clip(uneven, 0.01, 1.5))
    found[j, 1] = (shared < WHOLE).mean(axis=0)
    found[j, 2] = np.clip(np.log((squared[i, j] + tiny) / (squared[h, i] + tiny)) / 2, -2, 2)
    return found


def continues(ratio: np.ndarray) -> np.ndarray:
    """Decide by log-likelihood ratios [n] who continues its candidate, with the share of those who do estimated."""
    offered = ratio[np.isfinite(ratio)]
    if not len(offered):
        return np.zeros(len(ratio), bool)
    share = 0.5
    for _ in range(50):
        share = float(np.clip(_logistic(offered + _logit(share)).mean(), RARE, 1 - RARE))
    return ratio > -_logit(share)


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))
