"""A folder that appears complete or not at all: filled beside its place, synced, renamed.

Whoever fills one holds a lock on it, which ends with the process; so what a killed export left is told from what
another one is filling, and the next export to the same place removes it.
"""

import ctypes
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vitzoo.errors import InputError
from vitzoo.zoo import atomic
from vitzoo.zoo.layout import STAGING


def check_target(out: Path, zoo: Path) -> None:
    """InputError if a folder cannot be made here: something is here, or it is within the zoo, whose tree is closed."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out} is there and is no folder. Give a new folder.")
    if out.is_dir() and (first := min((entry.name for entry in out.iterdir()), default=None)):
        raise InputError(f"{out} is not empty ({first!r} is there), and nothing is overwritten. Give a new folder.")
    if out.resolve() == Path.cwd():
        raise InputError(f"{out} is the working directory, which cannot be replaced. Give a new folder.")
    if zoo.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(f"{out} is within the zoo {zoo}, where nothing else may be. Give a folder outside.")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place ``out`` when the block ends well, and is gone if it does not."""
    out = out.resolve()  # a working directory that changes meanwhile changes nothing
    atomic.make_directories(out.parent)
    with atomic.storing(out):
        _sweep(out)
        folder, lock = _locked(out)
        try:
            yield folder
            _sync(folder)  # before the name that says it is complete
            folder.rename(out)
            atomic.sync_directory(out.parent)
        finally:
            atomic.discard(folder)
            if lock is not None:
                os.close(lock)


def _sync(folder: Path) -> None:
    """Make all files of a folder survive a power cut: one call for the disk it is on, rather than one for each file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:  # not Linux
            os.sync()
        elif syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def _locked(out: Path) -> tuple[Path, int | None]:
    """Make a folder to stage in and lock it; again if another export swept it in between."""
    while True:
        folder = atomic.staging_path(out.parent, out.name)
        folder.mkdir()
        try:
            return folder, _lock(folder)
        except (FileNotFoundError, BlockingIOError):
            continue
        except OSError:  # a file system without locks, where nobody can sweep either
            return folder, None


def _sweep(out: Path) -> None:
    """Remove what killed exports to this place left."""
    left = re.compile(re.escape(f"{STAGING}{out.name}-") + r"[0-9]+-[0-9a-f]{8}")
    for folder in out.parent.iterdir():
        if left.fullmatch(folder.name):
            with suppress(OSError):  # somebody is filling it, or it is none of ours
                lock = _lock(folder)
                atomic.discard(folder)
                os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder; BlockingIOError if another process has, FileNotFoundError if it was swept meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
