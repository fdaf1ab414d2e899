"""What a source of images is: three functions and a version."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitzoo.blueprint.schema import Dataset
from vitzoo.errors import DataError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Request:
    """What a source is asked for. ``argument`` is what follows the colon in ``folder:PATH``."""

    dataset: Dataset
    argument: str
    image_size: int
    root: Path
    download: bool

    @property
    def path(self) -> Path:
        """The argument as a path; a relative one lies under the data root."""
        return self.root / self.argument


@dataclass(frozen=True)
class Part:
    """One split before decoding: labels int64 [N], and how to decode given positions to uint8 [n, side, side, 3].

    A source that makes its images can also ``draw`` them, given positions and a device: uint8 [n, 3, side, side].
    """

    labels: np.ndarray
    decode: Callable[[np.ndarray, int], np.ndarray]
    draw: "Callable[[np.ndarray, torch.device], torch.Tensor] | None" = None


@dataclass(frozen=True)
class Raw:
    """Both splits of a source before decoding."""

    train: Part
    test: Part
    classes: int


@dataclass(frozen=True)
class Source:
    """A place where images come from.

    ``version`` changes when the same settings would give other bits. ``stamp`` tells one state of a user's files
    from another and is empty where content is fixed. ``side`` is the default side of the cached images.
    """

    version: int
    stamp: Callable[[Request], str]
    side: Callable[[Request], int]
    read: Callable[[Request], Raw]


def no_stamp(request: Request) -> str:
    """Stamp of a source whose content is fixed by its settings."""
    return ""


def as_asked(request: Request) -> int:
    """Side of a source that makes images of any size: exactly what the model sees."""
    return request.image_size


def natural(own: int, image_size: int) -> int:
    """Side to cache images of side ``own`` at: their own, unless far more than the model can use.

    >>> natural(32, 224), natural(500, 224)
    (32, 256)
    """
    return own if own <= image_size * 8 / 7 else int(image_size * 8 / 7)


def missing(what: str, where: Path, then: str) -> DataError:
    """The one error for absent data: what is missing, where it was looked for, what to put there."""
    return DataError(f"{what} is not at {where}: {then}")


def expect_classes(dataset: Dataset, found: int, known: int | None = None) -> int:
    """Check the number of classes found against the blueprint's, or else the source's known one, and return it."""
    expected = dataset.classes or known
    if expected is None:
        raise DataError(f"source {dataset.source!r} needs 'classes' in the blueprint; the data has {found}.")
    if expected != found:
        raise DataError(f"source {dataset.source!r} has {found} classes, expected {expected}.")
    return found
