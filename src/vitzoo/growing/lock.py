"""One grower per zoo: an advisory lock that the kernel gives back however the process ends."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitzoo.errors import BusyError
from vitzoo.growing.jobs import FOLDER


@contextmanager
def exclusive(zoo: Path) -> Iterator[None]:
    """Hold the zoo's lock.

    Raises:
        BusyError: another process holds it; the text names its process id.
    """
    path = zoo / FOLDER / "lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read() or "{}"
            pid = json.loads(holder).get("pid", "unknown") if holder.startswith("{") else "unknown"
            raise BusyError(
                f"The zoo {str(zoo)!r} is being grown by process {pid}. Wait for it, or stop it; "
                "what it finished stays."
            ) from None
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid()}))
        file.flush()
        yield
