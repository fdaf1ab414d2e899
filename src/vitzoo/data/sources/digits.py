"""``digits``: scikit-learn's 1,797 handwritten digits of 8×8 pixels (Alpaydin & Kaynak 1998); needs no download."""

from functools import partial

import numpy as np
from PIL import Image

from vitzoo.data.sources.base import Part, Raw, Request, Source, as_asked, expect_classes, no_stamp
from vitzoo.data.subset import balanced

_TEST = 360  # images, 36 of each digit; the other 1,437 are for training


def _decode(grey: np.ndarray, positions: np.ndarray, side: int) -> np.ndarray:
    # Resized as floats and rounded once: 17 grey levels on 8×8 pixels have no precision to lose.
    out = np.empty((len(positions), side, side, 3), np.uint8)
    for row, image in zip(out, grey[positions], strict=True):
        sized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        row[:] = np.rint(np.clip(np.asarray(sized), 0, 255))[..., None]
    return out


def _read(request: Request) -> Raw:
    from sklearn.datasets import load_digits  # takes a second to import

    pixels, digits = map(np.asarray, load_digits(return_X_y=True))
    grey = (pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.float32)
    labels = digits.astype(np.int64)
    test = np.zeros(len(labels), bool)
    test[balanced(labels, _TEST, "digits", "test")] = True
    parts = [Part(labels[mask], partial(_decode, grey[mask])) for mask in (~test, test)]
    return Raw(*parts, classes=expect_classes(request.dataset, 10, 10))


SOURCE = Source(version=1, stamp=no_stamp, side=as_asked, read=_read)
