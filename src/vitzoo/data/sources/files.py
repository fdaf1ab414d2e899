"""Image files in folders: listing, stamps and labels. Shared by the sources that read files."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from vitzoo.data.decode import fit_files
from vitzoo.data.sources.base import Part
from vitzoo.errors import DataError

EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}


def folders(path: Path) -> list[str]:
    """Names of the folders in a folder, sorted; none if it does not exist."""
    if not path.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir() and not entry.name.startswith("."))


def pictures(path: Path) -> list[Path]:
    """The image files in a folder, by their extension, sorted."""
    names = sorted(entry.name for entry in os.scandir(path))
    return [path / name for name in names if Path(name).suffix.lower() in EXTENSIONS and not name.startswith(".")]


def part(paths: Sequence[Path], labels: Iterable[int]) -> Part:
    """A split made of files."""
    return Part(np.fromiter(labels, np.int64, len(paths)), partial(_decode, paths))


def _decode(paths: Sequence[Path], positions: np.ndarray, side: int) -> np.ndarray:
    return fit_files([paths[position] for position in positions], side)


def by_class(path: Path, classes: Sequence[str], inner: str = ".") -> Part:
    """A split stored as ``path/<class>/<inner>/*``; the label is the class's place in ``classes``."""
    found: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        folder = path / name / inner
        listed = pictures(folder) if folder.is_dir() else []
        found += listed
        labels += [label] * len(listed)
    if not found:
        raise DataError(f"{path} holds no image files; expected {path / '<class>' / inner / '<image>'}.")
    return part(found, labels)


def stamp(*paths: Path, deep: bool) -> str:
    """A short text that changes when files come, go or (``deep``) change in size or time.

    Not deep, only folders are looked at, which is what a set of a million files can afford.
    """
    digest = hashlib.sha256()
    for path in paths:
        for folder, inner, names in os.walk(path):
            inner.sort()
            for name in [".", *(sorted(names) if deep else [])]:
                stat = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118
                size = 0 if name == "." else stat.st_size
                digest.update(f"{os.path.relpath(folder, path)}/{name} {size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def shorter_side(path: Path) -> int:
    """Shorter side of the image in a file, read from its header."""
    try:
        with Image.open(path) as image:
            return min(image.size)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"cannot decode the image {path}: {error}") from error
