"""MixUp (Zhang et al. 2018) and CutMix (Yun et al. 2019) with the conventions of timm, and soft targets.

One draw for a batch; image i is mixed with image N - 1 - i. Where both are on, each batch is one or the other with
even chances. CutMix's λ is corrected for the part of the box that is cut off at the edge. Label smoothing ε over K
classes gives a target 1 - ε + ε/K to the label and ε/K to all others.
"""

from typing import NamedTuple

import numpy as np
import torch

from vitzoo.data.augment.params import on

_SWITCH = 0.5


class Mix(NamedTuple):
    """One entry a batch: ``lam`` [G]; ``box`` int64 [G, 4] is top, bottom, left, right; ``cut`` bool [G] uses it."""

    lam: np.ndarray
    cut: np.ndarray
    box: np.ndarray


def draw(rng: np.random.Generator, size: int, mixup: float, cutmix: float) -> Mix:
    """Draw for one batch of images of ``size`` pixels; ``mixup`` and ``cutmix`` are the α of Beta(α, α), 0 is off."""
    cut = cutmix > 0 and (mixup <= 0 or rng.random() < _SWITCH)
    alpha = cutmix if cut else mixup
    lam = rng.beta(alpha, alpha)
    box = np.zeros(4, np.int64)
    if cut:
        side = int(size * np.sqrt(1 - lam))
        centre = rng.integers(0, size, 2)
        low, high = np.clip(centre - side // 2, 0, size), np.clip(centre + (side + 1) // 2, 0, size)
        box[:] = low[0], high[0], low[1], high[1]
        lam = 1 - float(np.prod(high - low)) / (size * size)
    return Mix(np.array([lam]), np.array([cut]), box[None])


def apply(images: torch.Tensor, params: Mix) -> torch.Tensor:
    """Mix float images [G·B, C, H, W] within their G batches.

    >>> still = Mix(np.array([1.0]), np.array([False]), np.zeros((1, 4), np.int64))
    >>> apply(torch.eye(2).view(2, 1, 1, 2), still).flatten().tolist()
    [1.0, 0.0, 0.0, 1.0]
    """
    grouped = images.unflatten(0, (len(params.lam), -1))
    share = on(images, params.lam).view(-1, 1, 1, 1, 1)
    if params.cut.any():
        share = torch.where(on(images, params.cut).view(-1, 1, 1, 1, 1), _kept(images, params.box), share)
    return torch.addcmul(grouped * share, grouped.flip(1), 1 - share).flatten(0, 1)


def _kept(images: torch.Tensor, box: np.ndarray) -> torch.Tensor:
    """One outside the boxes, zero inside: [G, 1, 1, H, W]."""
    y, x = (np.arange(side) for side in images.shape[2:])
    top, bottom, left, right = (edge[:, None] for edge in box.T)
    inside = ((top <= y) & (y < bottom))[:, :, None] & ((left <= x) & (x < right))[:, None, :]
    return on(images, (~inside).astype(np.float32))[:, None, None]


def targets(labels: torch.Tensor, classes: int, smoothing: float, params: Mix | None = None) -> torch.Tensor:
    """Soft targets of int64 labels [G·B]: float32 [G·B, classes], every row summing to one.

    >>> targets(torch.tensor([1]), 4, 0.2).tolist()
    [[0.05000000074505806, 0.8500000238418579, 0.05000000074505806, 0.05000000074505806]]
    """
    off = smoothing / classes
    one = torch.full((len(labels), classes), off, device=labels.device)
    one.scatter_(1, labels[:, None], 1 - smoothing + off)
    if params is None:
        return one
    grouped, share = one.unflatten(0, (len(params.lam), -1)), on(one, params.lam).view(-1, 1, 1)
    return torch.addcmul(grouped * share, grouped.flip(1), 1 - share).flatten(0, 1)
