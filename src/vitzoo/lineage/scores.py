"""How well a recovered forest fits the true one, in the paper's numbers and in ones that say more.

``accuracy`` and ``f1`` are those of the paper's Table 3: over all n² entries of the adjacency matrix, the diagonal
included, all trees together. That accuracy is near 1 whatever is predicted, because nearly all entries are 0.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import adjusted_rand_score

from vitzoo.lineage.truth import NONE

DRAWS = 2000  # bootstrap samples of trees


@dataclass(frozen=True)
class Scores:
    """Scores of a forest, each in [0, 1] (``ari``: [-½, 1])."""

    accuracy: float
    f1: float
    undirected: float  # F1 of edges whichever way they point
    roots: float  # share of true roots that were found to be roots
    ari: float  # adjusted Rand index of trees; a model whose parent is missing begins one
    low: float  # 95 % interval of the F1, by bootstrap over the true trees
    high: float

    def plain(self) -> Mapping[str, float]:
        """Return the scores as plain data."""
        return asdict(self)


def score(found: np.ndarray, true: np.ndarray, tree: np.ndarray, seed: int = 0) -> Scores:
    """Compare parents [n] as found with the true ones; ``tree`` [n] numbers the true trees.

    >>> score(np.array([-1, 0, 0]), np.array([-1, 0, 1]), np.zeros(3)).f1
    0.5
    """
    n = len(true)
    right, predicted, actual = edges(found, true)
    wrong = (predicted - right) + (actual - right)
    either = sum(1 for child, parent in enumerate(found) if parent != NONE and _joined(true, child, parent))
    low, high = interval(found, true, tree, seed)
    return Scores(
        accuracy=1 - wrong / n**2,
        f1=f1(right, predicted, actual),
        undirected=f1(either, predicted, actual),
        roots=float((found[true == NONE] == NONE).mean()),
        ari=float(adjusted_rand_score(components(true), components(found))),
        low=low,
        high=high,
    )


def edges(found: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    """Return the number of edges that are right, of those found, and of those there are."""
    return (
        int(((found == true) & (true != NONE)).sum()),
        int((found != NONE).sum()),
        int((true != NONE).sum()),
    )


def f1(right: int, predicted: int, actual: int) -> float:
    """Return the harmonic mean of precision and recall; 1 where there is nothing to find and nothing was found."""
    return 1.0 if predicted + actual == 0 else 2 * right / (predicted + actual)


def interval(found: np.ndarray, true: np.ndarray, tree: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the F1 when true trees are drawn with replacement."""
    counts = np.array([edges(found[tree == k], true[tree == k]) for k in np.unique(tree)])
    drawn = np.random.default_rng(seed).integers(len(counts), size=(DRAWS, len(counts)))
    right, predicted, actual = counts[drawn].sum(axis=1).T
    values = np.where(predicted + actual == 0, 1.0, 2 * right / np.maximum(predicted + actual, 1))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def components(parents: np.ndarray) -> np.ndarray:
    """Return for each model the root of its tree [n]."""
    root = np.arange(len(parents))
    for start in range(len(parents)):
        node = start
        while parents[node] != NONE:
            node = parents[node]
        root[start] = node
    return root


def _joined(true: np.ndarray, a: int, b: int) -> bool:
    return true[a] == b or true[b] == a
