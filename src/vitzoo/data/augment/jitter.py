"""Random brightness, contrast, saturation and hue in random order (torchvision's ColorJitter)."""

from typing import NamedTuple

import numpy as np
import torch

from vitzoo.blueprint.schema import Jitter as Settings
from vitzoo.data.augment.grey import luma
from vitzoo.data.augment.params import on


class Jitter(NamedTuple):
    """``active``: bool [N]. ``order``: int64 [N, 4], which change comes first, second … ``factor``: [N, 4].

    The four changes are brightness, contrast, saturation (1 is none) and hue (0 is none, in turns of the circle).
    """

    active: np.ndarray
    order: np.ndarray
    factor: np.ndarray


def draw(rng: np.random.Generator, n: int, settings: Settings) -> Jitter:
    """Draw factors uniform in [max(0, 1 - s), 1 + s], hue in ±s, and an order for each image."""
    strength = np.array([settings.brightness, settings.contrast, settings.saturation, settings.hue])
    low, high = np.maximum(0, 1 - strength), 1 + strength
    low[3], high[3] = -settings.hue, settings.hue
    active = rng.random(n) < settings.probability
    return Jitter(active, rng.permuted(np.tile(np.arange(4), (n, 1)), axis=1), rng.uniform(low, high, (n, 4)))


def brightness(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Scale the values."""
    return (images * factor).clamp(0, 1)


def contrast(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Move away from, or towards, the image's mean grey."""
    mean = luma(images).mean((1, 2, 3), keepdim=True)
    return (mean + (images - mean) * factor).clamp(0, 1)


def saturation(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Move away from, or towards, the image in grey."""
    grey = luma(images)
    return (grey + (images - grey) * factor).clamp(0, 1)


def hue(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Turn the colour circle by ``factor`` turns, keeping value and chroma."""
    red, green, blue = images.unbind(1)
    value, top = images.max(1)
    chroma = value - images.amin(1)
    sixth = torch.where(top == 0, green - blue, torch.where(top == 1, blue - red, red - green))
    angle = sixth / torch.where(chroma == 0, 1.0, chroma) + 2 * top  # in sixths of the circle
    offset = torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)
    k = (angle[:, None] + 6 * factor + offset) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


CHANGES = (brightness, contrast, saturation, hue)


def apply(images: torch.Tensor, params: Jitter) -> torch.Tensor:
    """Change float images [N, 3, H, W], each in its own order.

    >>> still = Jitter(np.array([True]), np.arange(4)[None], np.array([[1.0, 1.0, 1.0, 0.0]]))
    >>> torch.allclose(apply(torch.full((1, 3, 2, 2), 0.5), still), torch.full((1, 3, 2, 2), 0.5))
    True
    """
    images = images.clone()
    factors = on(images, params.factor)[:, :, None, None, None]
    neutral = np.array([1.0, 1.0, 1.0, 0.0])
    wanted = params.active[:, None] & (params.factor != neutral)
    for place in range(4):
        for number, change in enumerate(CHANGES):
            chosen = np.flatnonzero((params.order[:, place] == number) & wanted[:, number])
            if len(chosen):
                index = on(images, chosen)
                images[index] = change(images[index], factors[index, number])
    return images
