"""A repository as a folder: what was made is written, weights are given a second name, or copied if they cannot be."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from vitzoo.sharing.exporting import files as weights
from vitzoo.sharing.exporting.files import write_all
from vitzoo.sharing.publishing.repository import File
from vitzoo.zoo.layout import WEIGHTS


def fill(folder: Path, files: Iterable[File], placed: Callable[[File], None] = lambda file: None) -> int:
    """Write files below a folder and return how many weights had to be copied; ``placed`` is told each one.

    What is small is a copy, so that whoever edits the folder does not edit the zoo. IntegrityError if weights are not
    what their manifest says.
    """
    copied = 0
    for file in files:
        target = folder / file.place
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file.content, bytes):
            _write(target, file.content)
        elif not weights.link(file.content, target):
            weights.copy(file.content, target)
            copied += 1
        placed(file)
    return copied


def mirror(folder: Path, files: Iterable[File]) -> None:
    """Put files below a folder to be read at once: weights as links of either kind, so that nothing large is copied."""
    for file in files:
        target = folder / file.place
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file.content, bytes):
            _write(target, file.content)
        elif not weights.link(file.content, target):
            target.symlink_to((file.content.path / WEIGHTS).absolute())


def _write(target: Path, data: bytes) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)
