"""The chaos game for a batch of iterated function systems at once, as a few tensor operations.

Every image follows the same low-discrepancy choices, shifted by a number of its own, so an image is a function of
its own parameters and never of its neighbours in the batch.
"""

from functools import cache

import numpy as np
import torch

_BURN_IN = 24  # steps until a walker is on the attractor to less than a pixel
_KEPT = 40  # steps of each walker that are drawn
_MARGIN = 0.02  # of the image on each side


@cache
def _choices(walkers: int) -> torch.Tensor:
    """Numbers in [0, 1) that pick the maps: float32 [steps, 1, walkers]."""
    drawn = np.random.Generator(np.random.Philox(key=walkers)).random((_BURN_IN + _KEPT, 1, walkers), np.float32)
    return torch.from_numpy(drawn)


def walk(maps: torch.Tensor, weights: torch.Tensor, shift: torch.Tensor, points: int) -> torch.Tensor:
    """Return points of the attractors, float32 [2, T, B, W] with T·W >= points.

    ``maps``: float32 [B, M, 6], rows (a, b, c, d, e, f) of x ← a·x + b·y + e, y ← c·x + d·y + f. ``weights``:
    probabilities of the maps [B, M]; ``shift``: [B] in [0, 1).
    """
    walkers = -(-points // _KEPT)
    chance = (_choices(walkers) + shift[None, :, None]) % 1.0  # [T, B, W]
    edges = weights.cumsum(1)[:, :-1].contiguous()  # [B, M - 1]
    pick = torch.searchsorted(edges, chance.transpose(0, 1).reshape(len(maps), -1), right=True)
    chosen = maps.gather(1, pick[:, :, None].expand(-1, -1, 6))  # [B, T·W, 6]
    steps = chosen.reshape(len(maps), -1, walkers, 6).permute(3, 1, 0, 2).contiguous()  # [6, T, B, W]
    x = y = torch.zeros(len(maps), walkers)
    track = torch.empty(2, _KEPT, len(maps), walkers)
    for step, (a, b, c, d, e, f) in enumerate(steps.unbind(1), start=-_BURN_IN):
        x, y = torch.addcmul(torch.addcmul(e, a, x), b, y), torch.addcmul(torch.addcmul(f, c, x), d, y)
        if step >= 0:
            track[0, step], track[1, step] = x, y
    return track


def count(track: torch.Tensor, size: int) -> torch.Tensor:
    """Count the points in every pixel: float32 [B, size, size], the points' bounding box filling the image."""
    low, high = track.amin((1, 3), keepdim=True), track.amax((1, 3), keepdim=True)
    scale = (1 - 2 * _MARGIN) / (high - low).clamp_min(1e-6)
    columns, rows = (((track - low) * scale + _MARGIN) * size).long().clamp_(0, size - 1)
    batch = track.shape[2]
    flat = (torch.arange(batch)[None, :, None] * size + rows) * size + columns
    return torch.bincount(flat.flatten(), minlength=batch * size * size).view(batch, size, size).float()


def paint(counts: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
    """Colour images by how often a pixel was hit: uint8 [B, size, size, 3].

    ``colours``: [B, 3, 3], rows background, rarely hit, most often hit, in [0, 1]; log scale in between.
    """
    heat = counts.log1p()
    heat = (heat / heat.amax((1, 2), keepdim=True))[..., None]
    ground, rare, often = (colour[:, None, None] for colour in colours.unbind(1))
    picture = torch.where(heat > 0, rare + (often - rare) * heat, ground)
    return (picture * 255).round_().to(torch.uint8)
