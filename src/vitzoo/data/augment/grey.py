"""Dropping colour (torchvision's RandomGrayscale)."""

from typing import NamedTuple

import numpy as np
import torch

from vitzoo.data.augment.params import on

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision rounds it


class Grey(NamedTuple):
    """``grey``: bool [N]."""

    grey: np.ndarray


def draw(rng: np.random.Generator, n: int, probability: float) -> Grey:
    """Decide for each image."""
    return Grey(rng.random(n) < probability)


def luma(images: torch.Tensor) -> torch.Tensor:
    """Grey value of float images [N, 3, H, W]: [N, 1, H, W]."""
    red, green, blue = images.unbind(1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue)[:, None]


def apply(images: torch.Tensor, params: Grey) -> torch.Tensor:
    """Make the chosen float images grey.

    >>> apply(torch.eye(3).view(1, 3, 1, 3), Grey(np.array([True])))[0, :, 0, 1].tolist()
    [0.5870000123977661, 0.5870000123977661, 0.5870000123977661]
    """
    return torch.where(on(images, params.grey)[:, None, None, None], luma(images), images)
