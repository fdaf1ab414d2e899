"""A class-balanced subset, the same one every time."""

import numpy as np

from vitzoo import rng


def balanced(labels: np.ndarray, count: int, *key: rng.Part) -> np.ndarray:
    """Choose ``count`` of the labels' positions, the classes as even as they can be; sorted int64 [count].

    The choice depends on the labels and the key alone, and a smaller count chooses a subset of a larger one.

    >>> labels = np.repeat([0, 1, 2], 10)
    >>> np.bincount(labels[balanced(labels, 6, "example")]).tolist()
    [2, 2, 2]
    """
    shuffle = rng.stream(*key).permutation(len(labels))
    by_class = np.argsort(labels[shuffle], kind="stable")
    grouped = labels[shuffle][by_class]
    rank = np.empty(len(labels), np.int64)  # how many of its class come before it in the shuffled order
    rank[by_class] = np.arange(len(labels)) - np.searchsorted(grouped, grouped)
    return np.sort(shuffle[np.argsort(rank, kind="stable")[:count]])
