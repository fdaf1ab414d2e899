"""Where in a tree training began.

Steps of training hardly correlate with where they start, so a child is farther than its parent from anything that both
have nothing to do with, by just their squared distance. The origin is such a thing, and what is known of it is the
norm. The *lean* of a pair is the growth of the squared norm over the squared distance: 1 from an ancestor to what came
of it, -1 the other way, and between where two began alike and neither came from the other. The second cue is that
steps get shorter.
"""

import numpy as np

from vitzoo.lineage.truth import NONE

SHORTENING = 0.5  # weight of steps getting shorter, beside leans


def leans(squared: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Return the lean of every pair [n, n], from row to column; 0 for equal ones."""
    return (norms[None, :] - norms[:, None]) / np.where(squared > 0, squared, np.inf)


def plausible(parents: np.ndarray, squared: np.ndarray, lean: np.ndarray) -> float:
    """Score a rooted tree: the mean lean from the root to all others, within ±1, and how its steps shorten."""
    root = int(np.flatnonzero(parents == NONE)[0])
    n = len(parents) - 1
    return float(np.clip(lean[root], -1, 1).sum() / n) + SHORTENING * decay(parents, squared) / n


def decay(parents: np.ndarray, squared: np.ndarray) -> float:
    """Score how much steps shorten away from the root: the sum of log ratios of consecutive ones, each within ±1."""
    child = np.flatnonzero(parents != NONE)
    child = child[parents[parents[child]] != NONE]
    parent = parents[child]
    before, after = squared[parents[parent], parent], squared[parent, child]
    tiny = np.finfo(float).tiny
    return float(np.clip(np.log((before + tiny) / (after + tiny)) / 2, -1, 1).sum())
