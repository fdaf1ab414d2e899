"""Writing so that a kill or a full disk at any instant leaves the old state or the new one, nothing between."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from vitzoo.errors import VitzooError
from vitzoo.zoo.layout import STAGING


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an OSError into a VitzooError that names the path and says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        at = f" (at {error.filename})" if error.filename and str(error.filename) != str(path) else ""
        raise VitzooError(
            f"{path} could not be written: {reason}{at}. What was stored before is intact; "
            "make sure that there is space and permission, then repeat."
        ) from error


def staging_path(parent: Path, label: str) -> Path:
    """Return a fresh name for an unfinished file or directory; readers ignore it and ``sweep`` removes it."""
    return parent / f"{STAGING}{label}-{os.getpid()}-{secrets.token_hex(4)}"


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and make its bytes survive a power cut."""
    with path.open("xb", buffering=0) as file:
        view = memoryview(data)
        while view:  # a raw write may be partial
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Replace or create a file in one step."""
    staged = staging_path(path.parent, path.name)
    with storing(path):
        try:
            write_synced(staged, data)
            staged.rename(path)
        except BaseException:
            with suppress(OSError):
                staged.unlink()
            raise
        sync_directory(path.parent)


def make_directories(path: Path) -> None:
    """Create a directory and its parents, each surviving a power cut."""
    missing = [place for place in (path, *path.parents) if not place.is_dir()]
    with storing(path):
        for directory in reversed(missing):
            directory.mkdir(exist_ok=True)
            sync_directory(directory.parent)


def discard(path: Path) -> None:
    """Remove an unfinished file or directory; what cannot be removed stays for the next sweep."""
    if path.is_dir() and not path.is_symlink():
        rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
