"""Iterated function systems as classes of images.

Systems are drawn as in Anderson & Farrell (WACV 2022, "Improving fractal pre-training"): 2 to 8 affine maps given
by their singular value decompositions, with σ1 + 2·σ2 summed over n maps within [(5 + n)/2, (6 + n)/2], where
attractors look neither like dust nor like fog. A class is rejected when its attractor fills too little of the image.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vitzoo import rng

if TYPE_CHECKING:
    import torch

MAPS = 8  # the most maps of a system
FILL = 0.2  # of the cells of a grid that the attractor has to touch
_GRID, _GRID_POINTS = 32, 2000  # of that test; fixed, so that the classes do not depend on the image size


@dataclass(frozen=True)
class Systems:
    """Affine maps of C systems: linear parts [C, M, 2, 2], offsets [C, M, 2], probabilities [C, M] (0: no map)."""

    linear: np.ndarray
    offset: np.ndarray
    weight: np.ndarray


def systems(seed: int, classes: int) -> Systems:
    """Draw the classes; each depends on (seed, its number) alone.

    >>> systems(0, 3).linear.shape
    (3, 8, 2, 2)
    """
    found: list[tuple[np.ndarray, ...] | None] = [None] * classes
    attempt = 0
    while open_ := [number for number, system in enumerate(found) if system is None]:
        for start in range(0, len(open_), 256):
            numbers = open_[start : start + 256]
            drawn = [_system(seed, "fractal", number, attempt) for number in numbers]
            fills = fill(Systems(*(np.stack(each) for each in zip(*drawn, strict=True))))
            for number, system, share in zip(numbers, drawn, fills, strict=True):
                found[number] = system if share >= FILL else None
        attempt += 1
    return Systems(*(np.stack(each) for each in zip(*[system for system in found if system], strict=True)))


def turn(angle: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 2, 2] of angles in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def tensors(drawn: Systems) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return what ``render.walk`` reads: maps, float32 [C, M, 6], and the edges that pick them, [C, M - 1]."""
    import torch

    from vitzoo.data.sources import render

    maps = np.concatenate([drawn.linear.reshape(*drawn.weight.shape, 4), drawn.offset], -1)
    return torch.from_numpy(maps.astype(np.float32)), render.edges(torch.from_numpy(drawn.weight.astype(np.float32)))


def fill(drawn: Systems) -> np.ndarray:
    """Return the share of a coarse grid's cells that each attractor touches: float32 [C]."""
    from vitzoo.data.sources import render

    maps, edges = tensors(drawn)
    counts = render.counts(maps, edges, maps.new_zeros(len(maps)), _GRID_POINTS, _GRID)
    return (counts > 0).float().mean((1, 2)).numpy()


def _system(*key: rng.Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = rng.stream(*key)
    n = int(draw.integers(2, MAPS + 1))
    sigma, angles = _singular_values(draw, n), draw.uniform(-np.pi, np.pi, (2, n))
    signs, offset = draw.choice([-1.0, 1.0], (n, 2)), draw.uniform(-1, 1, (n, 2))
    linear = turn(angles[0]) * sigma[:, None, :] @ turn(angles[1]) * signs[:, None, :]
    weight = np.maximum(sigma.prod(-1), 0.01)  # area of a map's image; a thin map is still drawn now and then
    rest = ((0, MAPS - n), (0, 0))
    return np.pad(linear, (*rest, (0, 0))), np.pad(offset, rest), np.pad(weight / weight.sum(), rest[0])


def _singular_values(draw: np.random.Generator, n: int) -> np.ndarray:
    """Pairs σ1 >= σ2 in [0, 1], uniform given that their weighted sum lies in the window: float64 [n, 2]."""
    while True:
        pairs = np.sort(draw.random((256, n, 2)), axis=-1)[..., ::-1]
        total = pairs @ (1, 2)
        fits = np.flatnonzero(abs(total.sum(-1) - (5.5 + n) / 2) <= 0.25)
        if len(fits):
            return pairs[fits[0]]
