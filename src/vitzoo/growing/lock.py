"""One grower per zoo: an advisory lock that the kernel gives back however the process ends."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from vitzoo.errors import BusyError
from vitzoo.growing.jobs import FOLDER


@contextmanager
def exclusive(zoo: Path) -> Iterator[None]:
    """Hold the zoo's lock; leave no trace of it, unless states of unfinished populations lie beside it.

    Raises:
        BusyError: another process holds it; the text names its process id, and its machine if that is another.
    """
    path = zoo / FOLDER / "lock"
    with _locked(path, zoo) as file:
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty: there is something to resume
                path.parent.rmdir()


def _locked(path: Path, zoo: Path) -> TextIO:
    """Open and lock the file at ``path``; again if the last holder removed it between the two."""
    while True:
        path.parent.mkdir(exist_ok=True)
        try:
            file = path.open("a+")
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(
                f"The zoo {str(zoo)!r} is being grown by {_holder(file)}. Wait for it, or stop it; "
                "what it finished stays."
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()


def _holder(file: TextIO) -> str:
    with file:
        file.seek(0)
        text = file.read()
    held = json.loads(text) if text.startswith("{") else {}
    elsewhere = held.get("host", socket.gethostname()) != socket.gethostname()
    return f"process {held.get('pid', 'unknown')}" + (f" on {held['host']}" if elsewhere else "")
