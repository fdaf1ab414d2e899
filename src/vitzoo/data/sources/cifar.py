"""``cifar10`` and ``cifar100`` (Krizhevsky 2009), read by torchvision, which checks the files' checksums.

The official folders ``cifar-10-batches-py`` and ``cifar-100-python`` lie under the data root.
"""

from functools import partial

import numpy as np

from vitzoo import compat
from vitzoo.data.decode import fit_arrays
from vitzoo.data.sources.base import Part, Raw, Request, Source, expect_classes, missing, natural, no_stamp


def _side(request: Request) -> int:
    return natural(32, request.image_size)


def _decode(images: np.ndarray, positions: np.ndarray, side: int) -> np.ndarray:
    return fit_arrays(images[positions], side)


def _read(name: str, classes: int, request: Request) -> Raw:
    compat.ensure_torchvision()
    from torchvision import datasets

    kind = getattr(datasets, name)
    parts = []
    for train in (True, False):
        try:
            split = kind(request.root, train=train, download=request.download)
        except RuntimeError as error:
            folder = request.root / kind.base_folder
            then = f"unpack the official {kind.filename} there, or allow the download. ({error})"
            raise missing(f"an intact {name}", folder, then) from error
        parts.append(Part(np.asarray(split.targets, np.int64), partial(_decode, split.data)))
    return Raw(*parts, classes=expect_classes(request.dataset, classes, classes))


CIFAR10 = Source(version=1, stamp=no_stamp, side=_side, read=partial(_read, "CIFAR10", 10))
CIFAR100 = Source(version=1, stamp=no_stamp, side=_side, read=partial(_read, "CIFAR100", 100))
