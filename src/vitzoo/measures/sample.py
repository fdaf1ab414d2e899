"""A fixed sample of a split, in a fixed random order: the images of one seed are a beginning of those of more."""

import numpy as np

from vitzoo import rng
from vitzoo.errors import InputError


def sample(n: int, count: int, seed: int, split: str) -> np.ndarray:
    """Choose ``count`` of ``n`` positions (all, if there are fewer) without regard to labels; int64 [min(n, count)].

    Many data sets are sorted by class, so images that are treated in batches must not stay in their order.
    InputError if ``count`` is less than 1.

    >>> sample(10, 4, 0, "test").tolist() == sample(10, 6, 0, "test")[:4].tolist()
    True
    """
    if count < 1:
        raise InputError(f"A measure cannot be taken on {count} images; use at least 1.")
    return rng.stream(seed, "sample", split).permutation(n)[:count]
