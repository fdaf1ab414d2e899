"""Iterated function systems drawn one image at a time, point after point: peers of our renderer, written to measure it.

A system is rows (a, b, c, d, e, f) of x ← a·x + b·y + e, y ← c·x + d·y + f, and the cumulated probabilities of the
rows. Every function returns one image, uint8 [size, size, 3].
"""

import random
from collections.abc import Callable

import numpy as np
from PIL import Image

Renderer = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
GREY = (127, 127, 127)


def loop(maps: np.ndarray, ends: np.ndarray, points: int, size: int) -> np.ndarray:
    """The leanest loop over points that plain Python allows: lists, local names, one grey value set a point."""
    rows, shares, draw = maps.tolist(), ends.tolist(), random.random
    x, y, xs, ys = 0.0, 0.0, [], []
    a = b = c = d = e = f = 0.0
    for _ in range(points):
        chance = draw()
        for (a, b, c, d, e, f), share in zip(rows, shares, strict=True):  # noqa: B007 (the last row is used)
            if chance < share:
                break
        x, y = a * x + b * y + e, c * x + d * y + f
        xs.append(x)
        ys.append(y)
    left, top = min(xs), min(ys)
    across, down = (size - 1) / (max(xs) - left), (size - 1) / (max(ys) - top)
    image = np.zeros((size, size), np.uint8)
    for x, y in zip(xs, ys, strict=True):
        image[int((y - top) * down), int((x - left) * across)] = GREY[0]
    return np.repeat(image[:, :, None], 3, axis=2)


def _track(maps: np.ndarray, ends: np.ndarray, points: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the points as FractalDB's program finds them: random numbers at once, maps by name."""
    named = [dict(zip("abcdef", row, strict=True)) for row in maps.tolist()]
    shares, chances = ends.tolist(), np.random.random(points)
    x, y, xs, ys = 0.0, 0.0, [], []
    for i in range(points):
        chosen = named[-1]
        for j in range(len(shares)):
            if chances[i] <= shares[j]:
                chosen = named[j]
                break
        x, y = x * chosen["a"] + y * chosen["b"] + chosen["e"], x * chosen["c"] + y * chosen["d"] + chosen["f"]
        xs.append(x)
        ys.append(y)
    scaled = [(each - each.min()) / np.ptp(each) * (size - 12) + 6 for each in (np.array(xs), np.array(ys))]
    return scaled[0].astype(np.uint16), scaled[1].astype(np.uint16)


def fractaldb_points(maps: np.ndarray, ends: np.ndarray, points: int, size: int) -> np.ndarray:
    """Steps as in the program that made FractalDB (Kataoka et al. 2020), drawing points: three values set a point."""
    columns, rows = _track(maps, ends, points, size)
    image = np.zeros((size, size, 3), np.uint8)
    for i in range(points):
        image[rows[i], columns[i], :] = GREY
    return image


def fractaldb_patches(maps: np.ndarray, ends: np.ndarray, points: int, size: int) -> np.ndarray:
    """The same, drawing patches, which is how FractalDB was made: a random 3×3 pattern is pasted at every point."""
    columns, rows = _track(maps, ends, points, size)
    image = Image.new("RGB", (size, size))
    for i in range(points):
        bits = f"{random.randrange(1, 512):09b}"
        patch = np.zeros((3, 3, 3), np.uint8)
        for row in range(3):
            for column in range(3):
                patch[row, column, :] = np.array(GREY) * int(bits[3 * row + column])
        image.paste(Image.fromarray(patch), (int(columns[i]) + 1, int(rows[i]) + 1))
    return np.asarray(image)


def compiled() -> Renderer:
    """Make a renderer that numba compiles (as Anderson & Farrell 2022 render), coloured by density as ours is.

    ImportError where numba is not installed.
    """
    import numba  # pyright: ignore[reportMissingImports]  (optional)

    colours = np.random.default_rng(0).random((3, 3))

    @numba.njit
    def render(maps, ends, points, size):
        track = np.empty((points, 2), np.float32)
        x, y = 0.0, 0.0
        for i in range(points):
            chance, m = np.random.random(), 0
            while m < len(ends) - 1 and chance >= ends[m]:
                m += 1
            x, y = maps[m, 0] * x + maps[m, 1] * y + maps[m, 4], maps[m, 2] * x + maps[m, 3] * y + maps[m, 5]
            track[i, 0], track[i, 1] = x, y
        left, top = track[:, 0].min(), track[:, 1].min()
        across, down = (size - 1) / (track[:, 0].max() - left), (size - 1) / (track[:, 1].max() - top)
        counts = np.zeros((size, size), np.int32)
        for i in range(points):
            counts[int((track[i, 1] - top) * down), int((track[i, 0] - left) * across)] += 1
        full = np.log1p(counts.max())
        image = np.empty((size, size, 3), np.uint8)
        for row in range(size):
            for column in range(size):
                heat = np.log1p(counts[row, column]) / full
                for c in range(3):
                    hit = colours[1, c] + (colours[2, c] - colours[1, c]) * heat
                    image[row, column, c] = 255 * (hit if heat > 0 else colours[0, c])
        return image

    return render
