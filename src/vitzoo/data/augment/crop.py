"""A random window after zero padding (torchvision's RandomCrop)."""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from vitzoo.data.augment.params import on


class Crop(NamedTuple):
    """Corners of the windows in the padded image: ``top`` and ``left``, int64 [N]."""

    top: np.ndarray
    left: np.ndarray


def draw(rng: np.random.Generator, n: int, free: int) -> Crop:
    """Draw corners, uniform over the ``free`` + 1 positions of either axis (padded side minus window side)."""
    corners = rng.integers(0, free + 1, (2, n))
    return Crop(corners[0], corners[1])


def apply(images: torch.Tensor, params: Crop, size: int, padding: int = 0) -> torch.Tensor:
    """Cut windows of ``size`` × ``size`` out of the images padded with zeros; any dtype.

    >>> apply(torch.arange(4).view(1, 1, 2, 2), Crop(np.array([1]), np.array([0])), 1).item()
    2
    """
    padded = F.pad(images, [padding] * 4)
    n, channels, _, width = padded.shape
    span = torch.arange(size, device=images.device)
    corners = on(images, params.top * width + params.left).view(n, 1, 1, 1)
    flat = (corners + span[:, None] * width + span).view(n, 1, size * size).expand(n, channels, size * size)
    return padded.flatten(2).gather(2, flat).view(n, channels, size, size)
