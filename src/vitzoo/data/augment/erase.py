"""Random erasing (Zhong et al. 2020) as in timm's "pixel" mode: a box of normal noise in the normalised image."""

import math
from typing import NamedTuple

import numpy as np
import torch

from vitzoo.data.augment.params import on

_AREA = (0.02, 1 / 3)  # of the image
_ASPECT = (0.3, 1 / 0.3)
_ATTEMPTS = 10


class Erase(NamedTuple):
    """``box``: int64 [N, 4], top, bottom, left, right; empty where nothing is erased."""

    box: np.ndarray


def draw(rng: np.random.Generator, n: int, side: int, probability: float) -> Erase:
    """Draw boxes in images of ``side`` pixels: area uniform, aspect log-uniform, the first of ten that fits."""
    area = rng.uniform(*_AREA, (_ATTEMPTS, n)) * side * side
    aspect = np.exp(rng.uniform(math.log(_ASPECT[0]), math.log(_ASPECT[1]), (_ATTEMPTS, n)))
    corner, active = rng.random((2, n)), rng.random(n) < probability
    heights, widths = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (heights < side) & (widths < side)
    first, column = fits.argmax(0), np.arange(n)
    active &= fits.any(0)
    height, width = heights[first, column] * active, widths[first, column] * active
    top, left = np.floor(corner[0] * (side - height + 1)), np.floor(corner[1] * (side - width + 1))
    return Erase(np.stack([top, top + height, left, left + width], 1).astype(np.int64))


def apply(images: torch.Tensor, params: Erase, seed: int) -> torch.Tensor:
    """Fill the boxes with standard normal noise, which comes from ``seed`` and the kind of device.

    >>> nothing = Erase(np.zeros((1, 4), np.int64))
    >>> apply(torch.ones(1, 3, 2, 2), nothing, 0).sum().item()
    12.0
    """
    chosen = np.flatnonzero(params.box[:, 1] > params.box[:, 0])
    if not len(chosen):
        return images
    y, x = (torch.arange(side, device=images.device) for side in images.shape[2:])
    top, bottom, left, right = (edge[:, None] for edge in on(images, params.box[chosen]).unbind(1))
    mask = (((top <= y) & (y < bottom))[:, :, None] & ((left <= x) & (x < right))[:, None, :])[:, None]
    index = on(images, chosen)
    source = torch.Generator(images.device).manual_seed(seed)
    noise = torch.randn((len(chosen), *images.shape[1:]), generator=source, device=images.device)
    return images.index_copy(0, index, torch.where(mask, noise, images[index]))
