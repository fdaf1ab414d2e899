"""Antialiased resampling of a box of each image, as two batched matrix products.

Resampling is separable and linear: rows and columns are each multiplied by a matrix of filter weights, and the
boxes differ between images, so the matrices carry a batch axis. The filters and their conventions are those of
torch's antialiased interpolation (and Pillow's): the filter widens when shrinking, is cut at the box's edge and
renormalised.
"""

from functools import lru_cache
from typing import Literal

import torch

Filter = Literal["bilinear", "bicubic"]


def _bilinear(x: torch.Tensor) -> torch.Tensor:
    return (1 - x.abs()).clamp_min(0)


def _bicubic(x: torch.Tensor) -> torch.Tensor:
    x = x.abs()  # Keys' cubic with a = -1/2
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0.0))


def matrices(start: torch.Tensor, length: torch.Tensor, source: int, target: int, kind: Filter) -> torch.Tensor:
    """Weights [N, target, source] that resample pixels [start, start + length) of ``source`` to ``target`` pixels.

    ``start`` and ``length``: float32 [N], whole numbers. Every row sums to one.

    >>> box = torch.tensor([0.0]), torch.tensor([4.0])
    >>> matrices(*box, 4, 2, "bilinear")[0, 0].tolist()
    [0.4285714328289032, 0.4285714328289032, 0.1428571492433548, 0.0]
    """
    position = torch.arange(source, device=start.device) + 0.5 - start[:, None]  # [N, source], from the box's edge
    inside = (position > 0) & (position < length[:, None])
    step = (length / target)[:, None, None]
    centre = (torch.arange(target, device=start.device)[:, None] + 0.5) * step  # [N, target, 1]
    kernel = _bilinear if kind == "bilinear" else _bicubic
    weight = kernel((position[:, None] - centre) / step.clamp_min(1)) * inside[:, None]
    return weight / weight.sum(-1, keepdim=True)


def separable(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Multiply float images [N, C, H, W] by rows [N, h, H] and columns [N, w, W]: [N, C, h, w]."""
    n, channels, height, width = images.shape
    wide = torch.bmm(images.reshape(n, channels * height, width), columns.transpose(1, 2))
    tall = wide.view(n, channels, height, -1).transpose(2, 3).reshape(n, -1, height)
    return torch.bmm(tall, rows.transpose(1, 2)).view(n, channels, columns.shape[1], -1).transpose(2, 3)


@lru_cache(maxsize=32)
def _whole(source: int, target: int, kind: Filter, device: torch.device) -> torch.Tensor:
    zero = torch.zeros(1, device=device)
    return matrices(zero, zero + source, source, target, kind)[0]


def resize(images: torch.Tensor, size: int, kind: Filter = "bicubic") -> torch.Tensor:
    """Resize float images [N, C, H, W] to [N, C, size, size], kept within [0, 1]; unchanged where that is their size.

    >>> resize(torch.ones(1, 3, 8, 8), 4).shape
    torch.Size([1, 3, 4, 4])
    """
    if images.shape[2:] == (size, size):
        return images
    rows, columns = (_whole(side, size, kind, images.device) for side in images.shape[2:])
    return (rows @ (images @ columns.T)).clamp(0, 1)
