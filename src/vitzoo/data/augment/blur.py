"""Gaussian blur of random width (torchvision's GaussianBlur), as two batched matrix products."""

from typing import NamedTuple

import numpy as np
import torch

from vitzoo.blueprint.schema import Blur as Settings
from vitzoo.data.augment.params import on
from vitzoo.data.augment.resample import separable


class Blur(NamedTuple):
    """``active``: bool [N]. ``sigma``: width in pixels [N]."""

    active: np.ndarray
    sigma: np.ndarray


def draw(rng: np.random.Generator, n: int, settings: Settings) -> Blur:
    """Draw widths uniform in ``settings.sigma``."""
    return Blur(rng.random(n) < settings.probability, rng.uniform(*settings.sigma, n))


def _matrices(sigma: torch.Tensor, side: int, kernel: int) -> torch.Tensor:
    """Blurring along an axis as matrices [N, side, side]; the image is mirrored at its edge pixels."""
    half = kernel // 2
    offset = torch.arange(-half, half + 1, device=sigma.device)
    weight = torch.exp(-0.5 * (offset / sigma[:, None]) ** 2)
    weight = weight / weight.sum(1, keepdim=True)  # [N, kernel]
    reached = (torch.arange(side, device=sigma.device)[:, None] + offset).abs()
    reached = (side - 1) - ((side - 1) - reached).abs()  # [side, kernel]
    spread = torch.nn.functional.one_hot(reached, side).to(weight.dtype)  # [side, kernel, side]
    return torch.einsum("nk,ikj->nij", weight, spread)


def apply(images: torch.Tensor, params: Blur, kernel: int) -> torch.Tensor:
    """Blur the chosen float images with a kernel of ``kernel`` pixels; images must be larger than kernel // 2.

    >>> apply(torch.ones(1, 3, 4, 4), Blur(np.array([True]), np.array([1.0])), 3).mean().item()
    1.0
    """
    chosen = np.flatnonzero(params.active)
    if not len(chosen):
        return images
    index, sigma = on(images, chosen), on(images, params.sigma[chosen])
    rows, columns = (_matrices(sigma, side, kernel) for side in images.shape[2:])
    return images.index_copy(0, index, separable(images[index], rows, columns))
