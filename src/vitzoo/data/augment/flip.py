"""Horizontal flip."""

from typing import NamedTuple

import numpy as np
import torch

from vitzoo.data.augment.params import on


class Flip(NamedTuple):
    """``mirrored``: bool [N]."""

    mirrored: np.ndarray


def draw(rng: np.random.Generator, n: int, probability: float) -> Flip:
    """Decide for each image."""
    return Flip(rng.random(n) < probability)


def apply(images: torch.Tensor, params: Flip) -> torch.Tensor:
    """Mirror the chosen images left to right; any dtype.

    >>> apply(torch.tensor([[[[1, 2]]]]), Flip(np.array([True]))).tolist()
    [[[[2, 1]]]]
    """
    return torch.where(on(images, params.mirrored)[:, None, None, None], images.flip(-1), images)
