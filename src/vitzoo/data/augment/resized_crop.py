"""A random window of random area and shape, resized (torchvision's RandomResizedCrop; the "Inception crop")."""

import math
from typing import NamedTuple

import numpy as np
import torch

from vitzoo.data.augment.params import on
from vitzoo.data.augment.resample import matrices, separable

_ATTEMPTS = 10


class ResizedCrop(NamedTuple):
    """Windows in pixels: int64 [N] each."""

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray


def draw(
    rng: np.random.Generator, n: int, side: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> ResizedCrop:
    """Draw windows in images of ``side`` pixels: area uniform in ``scale``, aspect log-uniform in ``ratio``.

    The first of ten attempts that fits is taken; if none does, the largest central window within ``ratio``.
    """
    area = rng.uniform(*scale, (_ATTEMPTS, n)) * side * side
    aspect = np.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1]), (_ATTEMPTS, n)))
    corner = rng.random((2, n))
    widths, heights = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (widths > 0) & (widths <= side) & (heights > 0) & (heights <= side)
    first, column = fits.argmax(0), np.arange(n)
    height, width = heights[first, column], widths[first, column]
    top, left = np.floor(corner[0] * (side - height + 1)), np.floor(corner[1] * (side - width + 1))
    found = fits.any(0)
    values = (np.where(found, *pair) for pair in zip((top, left, height, width), _central(side, ratio), strict=True))
    return ResizedCrop(*(value.astype(np.int64) for value in values))


def _central(side: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    height = width = side
    if ratio[0] > 1:
        height = round(side / ratio[0])
    elif ratio[1] < 1:
        width = round(side * ratio[1])
    return (side - height) // 2, (side - width) // 2, height, width


def apply(images: torch.Tensor, params: ResizedCrop, size: int) -> torch.Tensor:
    """Cut and resize (bilinear, antialiased) float images: [N, C, size, size].

    >>> box = ResizedCrop(*(np.array([v]) for v in (0, 0, 4, 4)))
    >>> apply(torch.ones(1, 3, 8, 8), box, 2).shape
    torch.Size([1, 3, 2, 2])
    """
    top, left, height, width = (on(images, value, torch.float32) for value in params)
    rows = matrices(top, height, images.shape[2], size, "bilinear")
    columns = matrices(left, width, images.shape[3], size, "bilinear")
    return separable(images, rows, columns)
