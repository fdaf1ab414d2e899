"""What lies in a folder of models: sub-folders, files of weights, and other files. Names only; no file is opened."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vitzoo.errors import InputError
from vitzoo.sharing.importing.survey import File, Unplaced
from vitzoo.sharing.importing.tables import many

DEPTH = 4  # folders between the root and a file of weights, at most
ENTRIES = 500_000  # names in all
LOOK = 20_000  # names that are looked at to see whether a folder has weights at all
ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".npz")
#: What else may hold a model, in a form that is not read.
UNREAD = (".ckpt", ".tar", ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".keras", ".msgpack", ".onnx", ".gguf", ".ot")
#: Files beside weights that have their endings: the state of a training, which no zoo keeps.
_STATE = re.compile(r"(optimi[sz]er|scheduler|scaler|sampler|rng_state|random_states|training_args)[0-9_.-]*\..+")


@dataclass
class Folder:
    """A folder: its place below the root (``""`` is the root), weights and other plain files by name, sub-folders."""

    path: Path
    key: str
    weights: dict[str, File] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    folders: "list[Folder]" = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name or self.path.resolve().name  # "." has no name of its own


@dataclass
class _Odd:
    """Places of what is no part of a model, by why."""

    links: list[str] = field(default_factory=list)
    deep: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    unprintable: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def read(root: Path) -> tuple[Folder, list[Unplaced]]:
    """List a folder; InputError if it cannot be listed or holds too many names to be a folder of models."""
    odd = _Odd()
    folder = _read(Folder(root, ""), 0, odd, iter(range(ENTRIES)))
    return folder, [
        *many.unplaced(odd.links, "is a symbolic link, which is not followed; put a copy in its place", model=True),
        *many.unplaced(odd.deep, f"lies more than {DEPTH} folders deep", model=True),
        *many.unplaced(odd.unread, f"is in a format that is not read; {', '.join(ENDINGS)} are", model=True),
        *many.unplaced(odd.unprintable, "has a name that is no printable text, so it is left out", model=True),
        *many.unplaced(odd.states, "is the state of a training, which no zoo keeps"),
        *many.unplaced(odd.strange, "is no plain file"),
    ]


def has_weights(root: Path) -> bool:
    """Say whether a file of weights lies in a folder; of a large one only the beginning is looked at."""
    left, waiting = LOOK, [(root, 0)]
    while waiting and left > 0:
        place, depth = waiting.pop(0)
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    left -= 1
                    if entry.is_dir(follow_symlinks=False):
                        if depth < DEPTH and not entry.name.startswith("."):
                            waiting.append((Path(entry.path), depth + 1))
                    elif _is_weights(entry.name) and entry.is_file(follow_symlinks=False):
                        return True
                    if left <= 0:
                        break
        except OSError:
            continue  # what cannot be listed has no weights to see
    return False


def _read(folder: Folder, depth: int, odd: _Odd, budget: Iterator[int]) -> Folder:
    for entry in _listed(folder.path, budget):
        place = f"{folder.key}/{entry.name}" if folder.key else entry.name
        if not entry.name.isprintable():  # a line break, or bytes that are no UTF-8
            odd.unprintable.append(ascii(place))
        elif entry.name.startswith("."):
            continue  # .git, .cache, .DS_Store: nothing anybody put there by hand
        elif entry.is_symlink():
            odd.links.append(place)
        elif entry.is_dir(follow_symlinks=False):
            if depth < DEPTH:
                child = Folder(Path(entry.path), place)
                folder.folders.append(_read(child, depth + 1, odd, budget))
            else:
                odd.deep.append(place)
        elif not entry.is_file(follow_symlinks=False):
            odd.strange.append(place)
        elif _STATE.fullmatch(entry.name):
            odd.states.append(place)
        elif _is_weights(entry.name):
            folder.weights[entry.name] = File(Path(entry.path), entry.stat(follow_symlinks=False).st_size)
        elif entry.name.endswith(UNREAD):
            odd.unread.append(place)
        else:
            folder.others.add(entry.name)
    return folder


def _listed(path: Path, budget: Iterator[int]) -> list[os.DirEntry]:
    found = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if next(budget, None) is None:
                    raise InputError(f"{path}: there are over {ENTRIES:,} names here; give a folder of models only.")
                found.append(entry)
    except OSError as error:
        raise InputError(f"{path} cannot be listed: {error.strerror}.") from error
    return sorted(found, key=lambda entry: entry.name)


def _is_weights(name: str) -> bool:
    return name.endswith(ENDINGS) and not _STATE.fullmatch(name)
