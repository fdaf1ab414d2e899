"""Weights into an export: linked, copied or read, never through a symbolic link, their digest checked if read."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo import regular
from vitzoo.zoo.layout import MANIFEST, WEIGHTS
from vitzoo.zoo.strict_json import REMEDY

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo import Checkpoint

CHUNK = 1 << 22


def checked(checkpoint: "Checkpoint") -> "dict[str, np.ndarray]":
    """Read a checkpoint's tensors; IntegrityError if the file's digest is not that of its manifest."""
    checkpoint.check()  # the second reading comes from memory
    return checkpoint.tensors()


def link(checkpoint: "Checkpoint", target: Path) -> bool:
    """Give a checkpoint's weights a second name; False where the disk, or its owner, allows none. Nothing is read.

    IntegrityError if the file is no plain file of the size that its manifest gives.
    """
    source = checkpoint.path / WEIGHTS
    if checkpoint.file() != source:  # a remote zoo's: what is kept of it belongs to others, too
        return False
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk, a file system without links, too many names, somebody else's file
        return False
    found = target.lstat()
    if not S_ISREG(found.st_mode) or found.st_size != checkpoint.manifest["files"][WEIGHTS]["size"]:
        raise IntegrityError(f"{source} is not the file that {MANIFEST} speaks of. {REMEDY}.")
    return True


def copy(checkpoint: "Checkpoint", target: Path) -> None:
    """Copy a checkpoint's weights; IntegrityError if their digest is not that of its manifest."""
    source, digest = checkpoint.file(), hashlib.sha256()
    with regular.opened(source) as descriptor:
        own = os.dup(descriptor)  # beyond this block, which takes any failure for one to read
    with os.fdopen(own, "rb", buffering=0) as read, target.open("xb", buffering=0) as written:
        while chunk := read.read(CHUNK):
            digest.update(chunk)
            write_all(written.fileno(), chunk)
    if digest.hexdigest() != checkpoint.sha256:
        raise IntegrityError(f"{source} has another digest than {MANIFEST} says. {REMEDY}.")


def write_all(descriptor: int, data: "bytes | memoryview", offset: int | None = None) -> None:
    """Write all bytes, at an offset or where the file stands; one call of the system may write fewer."""
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view) if offset is None else os.pwrite(descriptor, view, offset)
        view, offset = view[count:], None if offset is None else offset + count


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a new JSON file."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a new text file."""
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
