"""``fractals``: formula-driven images; a class is a contractive iterated function system, an image a variation of it.

Systems are drawn as in Anderson & Farrell (WACV 2022, "Improving fractal pre-training"): 2 to 8 affine maps given
by their singular value decompositions, with σ1 + 2·σ2 summed over n maps within [(5 + n)/2, (6 + n)/2], where
attractors look neither like dust nor like fog. The idea of the data set is Kataoka et al. (ACCV 2020). A class
is rejected when its attractor fills too little of the image. Images of a class differ in the parameters (a little),
mirroring and colours.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vitzoo import rng
from vitzoo.blueprint.schema import Fractals
from vitzoo.data.decode import fit_arrays
from vitzoo.data.sources.base import Part, Raw, Request, Source, as_asked, expect_classes, no_stamp

if TYPE_CHECKING:
    import torch

_MAPS = 8  # the most maps of a system
_FILL = 0.2  # of the cells of a grid that the attractor has to touch
_GRID, _GRID_POINTS = 32, 2000  # of that test; fixed, so that the classes do not depend on the image size
_TURN, _SHRINK, _MOVE = 0.15, 0.1, 0.1  # of a map within a class: radians, fraction, units of the plane
_AT_ONCE = 128_000  # points rendered at once: what the processor's caches hold
_DRAWS = 4 * _MAPS + 12  # uniform numbers that make an image: maps, shift, mirroring (2), colours (9)


@dataclass(frozen=True)
class Systems:
    """Affine maps of C systems: linear parts [C, M, 2, 2], offsets [C, M, 2], probabilities [C, M] (0: no map)."""

    linear: np.ndarray
    offset: np.ndarray
    weight: np.ndarray


def _singular_values(draw: np.random.Generator, n: int) -> np.ndarray:
    """Pairs σ1 >= σ2 in [0, 1], uniform given that their weighted sum lies in the window: float64 [n, 2]."""
    while True:
        pairs = np.sort(draw.random((256, n, 2)), axis=-1)[..., ::-1]
        total = pairs @ (1, 2)
        fits = np.flatnonzero(abs(total.sum(-1) - (5.5 + n) / 2) <= 0.25)
        if len(fits):
            return pairs[fits[0]]


def _turn(angle: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def _system(*key: rng.Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = rng.stream(*key)
    n = int(draw.integers(2, _MAPS + 1))
    sigma, angles = _singular_values(draw, n), draw.uniform(-np.pi, np.pi, (2, n))
    signs, offset = draw.choice([-1.0, 1.0], (n, 2)), draw.uniform(-1, 1, (n, 2))
    linear = _turn(angles[0]) * sigma[:, None, :] @ _turn(angles[1]) * signs[:, None, :]
    weight = np.maximum(sigma.prod(-1), 0.01)  # area of a map's image; a thin map is still drawn now and then
    rest = ((0, _MAPS - n), (0, 0))
    return np.pad(linear, (*rest, (0, 0))), np.pad(offset, rest), np.pad(weight / weight.sum(), rest[0])


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
            fills = _fill(Systems(*(np.stack(each) for each in zip(*drawn, strict=True))))
            for number, system, fill in zip(numbers, drawn, fills, strict=True):
                found[number] = system if fill >= _FILL else None
        attempt += 1
    return Systems(*(np.stack(each) for each in zip(*[system for system in found if system], strict=True)))


def _fill(drawn: Systems) -> np.ndarray:
    from vitzoo.data.sources import render

    maps, weights = _tensors(drawn)
    track = render.walk(maps, weights, maps.new_zeros(len(maps)), _GRID_POINTS)
    return (render.count(track, _GRID) > 0).float().mean((1, 2)).numpy()


def _tensors(drawn: Systems) -> tuple["torch.Tensor", "torch.Tensor"]:
    import torch

    maps = np.concatenate([drawn.linear.reshape(*drawn.weight.shape, 4), drawn.offset], -1)
    return torch.from_numpy(maps.astype(np.float32)), torch.from_numpy(drawn.weight.astype(np.float32))


def _vary(chosen: Systems, u: np.ndarray) -> Systems:
    """Change each map a little: turn, shrink (so that it stays contractive), move. ``u``: uniform [B, 4·M]."""
    angle, shrink, dx, dy = u.reshape(len(u), 4, _MAPS).swapaxes(0, 1)
    linear = _turn(_TURN * (2 * angle - 1)) @ chosen.linear * (1 - _SHRINK * shrink)[..., None, None]
    moved = chosen.offset + _MOVE * (2 * np.stack([dx, dy], -1) - 1)
    return Systems(linear, moved, chosen.weight)


def _colours(u: np.ndarray) -> np.ndarray:
    """Dark background and two bright, different colours from uniform [B, 9]: [B, 3, 3] in [0, 1]."""
    scale = np.array([0.35, 0.65, 0.65])[:, None]
    return u.reshape(-1, 3, 3) * scale + np.array([0.0, 0.35, 0.35])[:, None]


def images(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray) -> np.ndarray:
    """Render the images at the given positions of a split: uint8 [n, size, size, 3].

    Position i is image i // classes of class i % classes; it depends on the settings' seed, the split, the class and
    its number alone.
    """
    block = max(1, _AT_ONCE // settings.points)
    blocks = [positions[start : start + block] for start in range(0, len(positions), block)]
    return np.concatenate([_render(drawn, settings, split, each) for each in blocks])


def _render(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray) -> np.ndarray:
    import torch

    from vitzoo.data.sources import render

    number, label = np.divmod(positions, settings.classes)
    keys = zip(label.tolist(), number.tolist(), strict=True)
    u = np.stack([rng.stream(settings.seed, "fractal", split, *key).random(_DRAWS) for key in keys])
    chosen = Systems(drawn.linear[label], drawn.offset[label], drawn.weight[label])
    maps, weights = _tensors(_vary(chosen, u[:, : 4 * _MAPS]))
    shift, mirror, colour = np.split(u[:, 4 * _MAPS :], [1, 3], axis=1)
    track = render.walk(maps, weights, torch.from_numpy(shift[:, 0].astype(np.float32)), settings.points)
    counts = render.count(track, settings.size)
    for axis in (1, 2):
        flipped = torch.from_numpy(mirror[:, axis - 1] < 0.5)[:, None, None]
        counts = torch.where(flipped, counts.flip(axis), counts)
    return render.paint(counts, torch.from_numpy(_colours(colour).astype(np.float32))).numpy()


def _decode(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray, side: int) -> np.ndarray:
    return fit_arrays(images(drawn, settings, split, positions), side)


def _read(request: Request) -> Raw:
    settings = request.dataset.fractals
    assert settings is not None, "the blueprint's schema asks for it"
    drawn = systems(settings.seed, settings.classes)
    parts = []
    for split, each in (("train", settings.train_per_class), ("test", settings.test_per_class)):
        labels = np.tile(np.arange(settings.classes, dtype=np.int64), each)
        parts.append(Part(labels, partial(_decode, drawn, settings, split)))
    return Raw(*parts, classes=expect_classes(request.dataset, settings.classes, settings.classes))


SOURCE = Source(version=1, stamp=no_stamp, side=as_asked, read=_read)
