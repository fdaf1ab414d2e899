"""A zoo's files on this machine."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.files import Listed, Tell
from vitzoo.zoo.layout import FINETUNING, WEIGHTS, is_name

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo.catalogue import Catalogue
    from vitzoo.zoo.checkpoint import Checkpoint
    from vitzoo.zoo.safetensors_header import Slot
    from vitzoo.zoo.store import Zoo


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Disk:
    """The ``Files`` of a zoo in a directory: everything is there, nothing is waited for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tell: Tell = silent

    @property
    def place(self) -> str:
        return str(self.root)

    def members(self, stage: str) -> list[Path]:
        places = directories(self.root / stage) if stage == FINETUNING else [self.root / stage]
        return [path for place in places for path in directories(place)]

    def listed(self, member: Path) -> Listed | None:
        return None

    def near(self, path: Path) -> Path:
        if path.parent != self.root:
            _no_link(path.parent)
        return path

    def catalogue(self, zoo: "Zoo", kept: "Catalogue | None") -> "Catalogue":
        from vitzoo.zoo import catalogue  # only here: opening and committing do not need DuckDB

        mark = catalogue.fingerprint(zoo)
        if kept is None or mark == catalogue.UNSETTLED or kept.fingerprint != mark:
            return catalogue.load(zoo)
        return kept

    def header(self, checkpoint: "Checkpoint") -> "dict[str, Slot]":
        return safetensors_io.read_header(self.weights(checkpoint))

    def tensors(self, checkpoint: "Checkpoint", names: Iterable[str] | None) -> "dict[str, np.ndarray]":
        return safetensors_io.read(self.weights(checkpoint), names)

    def weights(self, checkpoint: "Checkpoint") -> Path:
        _no_link(checkpoint.path)
        return checkpoint.path / WEIGHTS

    def ahead(self, jobs: Iterable[Callable[[], Any]], what: str) -> None:
        pass

    def check_here(self, deed: str) -> None:
        pass


def directories(place: Path) -> list[Path]:
    """Directories with a member's name; symbolic links are no directories here."""
    if place.is_symlink() or not place.is_dir():
        return []
    try:
        with os.scandir(place) as entries:
            found = [entry.name for entry in entries if is_name(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        raise IntegrityError(f"{place} cannot be listed: {error.strerror}. Check its permissions.") from error
    return [place / name for name in found]


def _no_link(folder: Path) -> None:
    """A catalogue that a stranger wrote may name a folder that no listing would."""
    if os.path.islink(folder):  # noqa: PTH114  half of what Path.is_symlink costs, for each checkpoint of a scan
        raise IntegrityError(f"{folder} is a symbolic link, and a zoo holds none. Replace it by what it points to.")
