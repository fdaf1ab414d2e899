"""Rotation about the centre, the corners filled with zeros (torchvision's RandomRotation)."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from vitzoo.data.augment.params import on


class Rotation(NamedTuple):
    """``degrees``: counter-clockwise, float64 [N]."""

    degrees: np.ndarray


def draw(rng: np.random.Generator, n: int, most: float) -> Rotation:
    """Draw angles uniform in ±``most`` degrees."""
    return Rotation(rng.uniform(-most, most, n))


def apply(images: torch.Tensor, params: Rotation, kind: Literal["nearest", "bilinear"] = "nearest") -> torch.Tensor:
    """Rotate float images [N, C, H, W]; "nearest" is torchvision's default.

    >>> apply(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), Rotation(np.array([90.0]))).tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]
    """
    height, width = images.shape[2:]
    angle = np.deg2rad(params.degrees)
    cos, sin = (on(images, each)[:, None, None] for each in (np.cos(angle), np.sin(angle)))
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    grid = torch.stack([(cos * x - sin * y) / (width / 2), (sin * x + cos * y) / (height / 2)], -1)
    return F.grid_sample(images, grid, mode=kind, padding_mode="zeros", align_corners=False)
