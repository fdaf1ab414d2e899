"""Opening what a stranger may have put there: regular files only, never through a link, never waiting for a writer."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitzoo.errors import IntegrityError

REMEDY = "Restore the file from a copy of the zoo"


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a regular file for reading and yield its descriptor.

    IntegrityError if it is missing, a link, a pipe, a device or a folder, or if the system fails while it is read.
    """
    # A pipe without a writer would block, and a terminal would become ours, were it not for the last two flags.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise IntegrityError(f"{path} is missing. {REMEDY}.") from None
    except OSError as error:
        raise IntegrityError(f"{path} cannot be opened: {error.strerror}. A zoo holds plain files only.") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IntegrityError(f"{path} is not a regular file, and a zoo holds no others. {REMEDY}.")
        yield descriptor
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}. {REMEDY}.") from error
    finally:
        os.close(descriptor)


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file of at most ``limit`` bytes; IntegrityError otherwise."""
    with opened(path) as descriptor, os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
        # One byte more than allowed tells "too large" without trusting the size the file system reports.
        data = file.read(limit + 1)
    if len(data) > limit:
        raise IntegrityError(f"{path} has more than {limit:,} bytes, which no zoo writes. {REMEDY}.")
    return data


def sha256(path: Path) -> str:
    """Hash a regular file, 64 hexadecimal digits; IntegrityError if there is none."""
    with opened(path) as descriptor, os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
