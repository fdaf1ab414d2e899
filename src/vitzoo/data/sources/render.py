"""The chaos game for a batch of iterated function systems at once, as a few tensor operations on any device.

Every image follows the same low-discrepancy choices, shifted by a number of its own, so an image is a function of
its own parameters and never of its neighbours in the batch. Nothing here asks a GPU for a value, so nothing waits
for it. A CPU with a compiler does the same in C (``chaos``), bit for bit and several times as fast. What it costs and
against what, benchmarks/fractals.py measures.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from vitzoo.data.sources import chaos

_BURN_IN = 24  # steps until a walker is on the attractor to less than a pixel
_KEPT = 40  # steps of each walker that are drawn
_MARGIN = 0.02  # of the image on each side
_TILE = {"cpu": 1 << 16, "cuda": 1 << 22}  # picks of maps at once: what the caches hold; what fills a GPU


def walkers(points: int) -> int:
    """Return how many walkers draw at least so many points together.

    >>> walkers(1000)
    25
    """
    return -(-points // _KEPT)


def drawn(points: int) -> int:
    """Return how many points are drawn where so many are asked for.

    >>> drawn(1010)
    1040
    """
    return walkers(points) * _KEPT


@cache
def _choices(count: int, device: torch.device) -> Tensor:
    """Numbers in [0, 1) that pick the maps of so many walkers: float32 [steps, 1, walkers]."""
    drawn = np.random.Generator(np.random.Philox(key=count)).random((_BURN_IN + _KEPT, 1, count), np.float32)
    return torch.from_numpy(drawn).to(device)


def edges(weights: Tensor) -> Tensor:
    """Return where the share of [0, 1) ends that picks each map but the last: [B, M - 1] of probabilities [B, M].

    It belongs on the CPU: a GPU sums in another order, so that now and then another map would be picked.
    """
    return weights.cumsum(1)[:, :-1]


def counts(maps: Tensor, ends: Tensor, shift: Tensor, points: int, size: int, flips: Tensor | None = None) -> Tensor:
    """Draw attractors and count the points in every pixel: int32 [B, size, size].

    Arguments as of ``walk`` and ``place``. At least ``points`` points are drawn, in each image as many.
    """
    flips = maps.new_zeros(2, len(maps)) if flips is None else flips
    if maps.is_cpu and chaos.library():
        choices = _choices(walkers(points), maps.device)
        return chaos.counts(maps, ends, shift, flips, choices, _BURN_IN, size, _MARGIN)
    return place(walk(maps, ends, shift, points), size, flips)


def walk(maps: Tensor, ends: Tensor, shift: Tensor, points: int) -> Tensor:
    """Return points of the attractors, float32 [2, T, B, W] with T·W >= points.

    ``maps``: float32 [B, M, 6], rows (a, b, c, d, e, f) of x ← a·x + b·y + e, y ← c·x + d·y + f. ``ends``: their
    ``edges`` [B, M - 1]; ``shift``: [B] in [0, 1).
    """
    batch, count = len(maps), walkers(points)
    # Six planes [B·M]: what (x, y) take from the old x, what from the old y, and the offset.
    planes = maps.reshape(-1, 6)[:, [0, 2, 1, 3, 4, 5]].t().contiguous()
    choices = _choices(count, maps.device)
    track = maps.new_empty(2, _KEPT, batch, count)
    burnt = maps.new_zeros(2, 2, batch, count)  # steps that are not drawn take turns here
    now, step = burnt[1], -_BURN_IN
    tile = max(1, _TILE.get(maps.device.type, _TILE["cpu"]) // (batch * count))
    for some in choices.split(tile):
        picked = _pick(some, ends, shift)
        chosen = planes.index_select(1, picked.flatten()).view(3, 2, *picked.shape)
        for from_x, from_y, offset in chosen.transpose(0, 2).transpose(1, 2):
            x, y = now
            now = track[:, step] if step >= 0 else burnt[step % 2]
            torch.addcmul(torch.addcmul(offset, from_x, x), from_y, y, out=now)
            step += 1
    return track


def _pick(choices: Tensor, ends: Tensor, shift: Tensor) -> Tensor:
    """Pick a map for every step, image and walker: int32 [T, B, W], its row among the B·M maps.

    Compared with every edge, and counted as floats: seven such passes take a tenth of one bisection.
    """
    batch, maps = len(ends), ends.shape[1] + 1
    chance = (choices + shift[:, None]).frac_()
    row = torch.arange(0.0, batch * maps, maps, device=ends.device)[:, None].expand_as(chance).clone()
    above = torch.empty_like(chance)
    for end in ends.t()[:, :, None]:
        row += torch.ge(chance, end, out=above)
    return row.int()


def place(track: Tensor, size: int, flips: Tensor) -> Tensor:
    """Count the points in every pixel: int32 [B, size, size], the points' bounding box filling the image.

    ``track`` is used up. ``flips``: 0 or 1, float32 [2, B], mirrors columns and rows.
    """
    low, high = _each(track, torch.amin), _each(track, torch.amax)
    scale = (1 - 2 * _MARGIN) / (high - low).clamp_min(1e-6)
    columns, rows = track.sub_(low).mul_(scale).add_(_MARGIN).mul_(size).floor_().clamp_(0, size - 1)
    batch = track.shape[2]
    across, down = (1 - 2 * flips)[:, :, None]
    first = ((flips[0] + size * flips[1]) * (size - 1))[:, None]
    # Whole numbers below 2²⁴, so float32 holds them exactly.
    within = torch.addcmul(torch.addcmul(first, columns, across), rows, down * size).long()
    pixel = within.add_(torch.arange(0, batch * size * size, size * size, device=track.device)[:, None]).flatten()
    found = torch.zeros(batch * size * size, dtype=torch.int32, device=track.device)
    one = torch.ones((), dtype=torch.int32, device=track.device)
    return found.scatter_add_(0, pixel, one.expand_as(pixel)).view(batch, size, size)


def _each(track: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
    """Reduce over steps, then over walkers, which is faster than both at once: [2, 1, B, 1]."""
    return reduce(reduce(track, 1, keepdim=True), 3, keepdim=True)


def paint(counts: Tensor, colours: Tensor, most: int, out: Tensor) -> None:
    """Colour images by how often a pixel was hit.

    ``colours``: [B, 3, 3], rows background, rarely hit, most often hit, in [0, 1]; log scale in between. ``most``
    is the largest count, or more. ``out``: uint8 [B, 3, size, size], in planes or a view of interleaved images.
    """
    heat = torch.arange(most + 1.0, device=counts.device).log1p() / counts.amax((1, 2)).log1p()[:, None]
    ground, rare, often = colours.permute(1, 2, 0)[..., None]
    shades = rare + (often - rare) * heat  # [3, B, most + 1]
    shades[:, :, 0] = ground[:, :, 0]
    red, green, blue = (shades * 255).round_().int()
    palette = red | (green << 8) | (blue << 16)  # one look-up a pixel, not three
    if counts.is_cpu and chaos.library():
        chaos.colour(counts, palette, out)
    else:
        _look_up(counts, palette, out)


def _look_up(counts: Tensor, palette: Tensor, out: Tensor) -> None:
    batch, entries = palette.shape
    own = torch.arange(0, batch * entries, entries, dtype=torch.int32, device=counts.device)[:, None, None]
    pixels = palette.flatten().index_select(0, (counts + own).flatten()).view(counts.shape)
    for channel in range(3):
        out[:, channel] = pixels  # uint8 keeps the low byte
        pixels >>= 8
