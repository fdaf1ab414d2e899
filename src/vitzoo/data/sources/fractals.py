"""``fractals``: formula-driven images; a class is a contractive iterated function system, an image a variation of it.

The idea of the data set is Kataoka et al. (ACCV 2020), the systems are Anderson & Farrell's (see ``ifs``). Images of
a class differ in the parameters (a little), mirroring and colours. What makes an image is a row of numbers drawn on
the host; a row becomes pixels on any device. So images may be rendered once and kept, or whenever they are asked for.
"""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from vitzoo import rng
from vitzoo.blueprint.schema import Fractals
from vitzoo.data.decode import fit_arrays
from vitzoo.data.sources.base import Part, Raw, Request, Source, as_asked, expect_classes, no_stamp
from vitzoo.data.sources.ifs import MAPS, Systems, systems, tensors, turn

if TYPE_CHECKING:
    import torch

_TURN, _SHRINK, _MOVE = 0.15, 0.1, 0.1  # of a map within a class: radians, fraction, units of the plane
_WALKERS = {"cpu": 1 << 13, "cuda": 1 << 18}  # walkers at once: what the caches hold; what fills a GPU
_DRAWS = 4 * MAPS + 12  # uniform numbers that make an image: maps, shift, mirroring (2), colours (9)
_PARTS = (6 * MAPS, MAPS - 1, 1, 2, 9)  # of an image's row: maps, their edges, shift, flips, colours


def images(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray) -> np.ndarray:
    """Render the images at the given positions of a split: uint8 [n, size, size, 3].

    Position i is image i // classes of class i % classes; it depends on the settings' seed, the split, the class and
    its number alone.

    >>> settings = Fractals(classes=3, train_per_class=2, test_per_class=1, size=16, points=1000)
    >>> images(systems(0, 3), settings, "train", np.arange(6)).shape
    (6, 16, 16, 3)
    """
    import torch

    out = torch.empty(len(positions), settings.size, settings.size, 3, dtype=torch.uint8)
    _render(drawn, settings, split, positions, out.permute(0, 3, 1, 2))
    return out.numpy()


def draw(
    drawn: Systems, settings: Fractals, split: str, positions: np.ndarray, device: "torch.device | str" = "cpu"
) -> "torch.Tensor":
    """Render the same images on a device, and leave them there: uint8 [n, 3, size, size].

    The numbers that make them are drawn on the host. A GPU rounds otherwise than a CPU, so that there a few points in
    a million fall into the pixel beside; nothing in here waits for it.
    """
    import torch

    out = torch.empty(len(positions), 3, settings.size, settings.size, dtype=torch.uint8, device=device)
    _render(drawn, settings, split, positions, out)
    return out


def _render(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray, out: "torch.Tensor") -> None:
    """Render into ``out``, as many images at a time as its device likes."""
    import torch

    from vitzoo.data.sources import render

    block = max(1, _WALKERS.get(out.device.type, _WALKERS["cpu"]) // render.walkers(settings.points))
    for start in range(0, len(positions), block):
        some = slice(start, start + block)
        rows = torch.from_numpy(_rows(drawn, settings, split, positions[some]))
        rows = rows.pin_memory() if out.is_cuda else rows
        maps, edges, shift, flips, colours = rows.to(out.device, non_blocking=True).split(_PARTS, dim=1)
        maps, flips = maps.unflatten(1, (MAPS, 6)), flips.t()
        counts = render.counts(maps, edges, shift.squeeze(1), settings.points, settings.size, flips)
        # To ask a GPU for the largest count would wait for it.
        most = int(counts.max()) if counts.is_cpu else render.drawn(settings.points)
        render.paint(counts, colours.unflatten(1, (3, 3)), most, out[some])


def _rows(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray) -> np.ndarray:
    """All that makes the images, float32 [n, sum(_PARTS)]."""
    number, label = np.divmod(positions, settings.classes)
    keys = [
        rng.fold(settings.seed, "fractal", split, *key) for key in zip(label.tolist(), number.tolist(), strict=True)
    ]
    vary, shift, mirror, colour = np.split(rng.uniforms(keys, _DRAWS), np.cumsum((4 * MAPS, 1, 2)), axis=1)
    chosen = Systems(drawn.linear[label], drawn.offset[label], drawn.weight[label])
    maps, edges = tensors(_vary(chosen, vary))
    flips = mirror[:, ::-1] < 0.5  # the first number mirrors rows, the second columns
    parts = (maps.flatten(1).numpy(), edges.numpy(), shift, flips, _colours(colour))
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def _vary(chosen: Systems, u: np.ndarray) -> Systems:
    """Change each map a little: turn, shrink (so that it stays contractive), move. ``u``: uniform [B, 4·M]."""
    angle, shrink, dx, dy = u.reshape(len(u), 4, MAPS).swapaxes(0, 1)
    linear = turn(_TURN * (2 * angle - 1)) @ chosen.linear * (1 - _SHRINK * shrink)[..., None, None]
    moved = chosen.offset + _MOVE * (2 * np.stack([dx, dy], -1) - 1)
    return Systems(linear, moved, chosen.weight)


def _colours(u: np.ndarray) -> np.ndarray:
    """Dark background and two bright, different colours, in [0, 1], from as many uniform numbers: [B, 9]."""
    return u * np.repeat([0.35, 0.65, 0.65], 3) + np.repeat([0.0, 0.35, 0.35], 3)


def _decode(drawn: Systems, settings: Fractals, split: str, positions: np.ndarray, side: int) -> np.ndarray:
    return fit_arrays(images(drawn, settings, split, positions), side)


def _read(request: Request) -> Raw:
    settings = request.dataset.fractals
    assert settings is not None, "the data set was resolved"
    drawn = systems(settings.seed, settings.classes)
    parts = []
    for split, each in (("train", settings.train_per_class), ("test", settings.test_per_class)):
        labels = np.tile(np.arange(settings.classes, dtype=np.int64), each)
        parts.append(Part(labels, partial(_decode, drawn, settings, split), partial(draw, drawn, settings, split)))
    return Raw(*parts, classes=expect_classes(request.dataset, settings.classes, settings.classes))


SOURCE = Source(version=1, stamp=no_stamp, side=as_asked, read=_read)
