"""From a picture in a file or an array to a square of uint8."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vitzoo.errors import DataError


def fit(image: Image.Image, side: int) -> np.ndarray:
    """Resize the shorter side to ``side`` (bicubic, antialiased), then cut the centre: uint8 [side, side, 3].

    >>> fit(Image.new("L", (40, 30), 255), 16).shape
    (16, 16, 3)
    """
    image = image.convert("RGB")
    width, height = image.size
    if min(width, height) != side:
        scale = side / min(width, height)
        width, height = max(side, round(width * scale)), max(side, round(height * scale))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)), np.uint8)


def fit_arrays(images: np.ndarray, side: int) -> np.ndarray:
    """Fit uint8 [N, H, W, 3] to [N, side, side, 3]; images that have that size already are passed through."""
    if images.shape[1:] == (side, side, 3):
        return images
    return np.stack([fit(Image.fromarray(image), side) for image in images])


def fit_files(paths: Sequence[Path], side: int) -> np.ndarray:
    """Decode and fit image files: uint8 [N, side, side, 3]. DataError names a file that cannot be decoded."""
    out = np.empty((len(paths), side, side, 3), np.uint8)
    for row, path in zip(out, paths, strict=True):
        try:
            with Image.open(path) as image:
                row[:] = fit(image, side)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"cannot decode the image {path}: {error}") from error
    return out
