"""What a SLURM job tells its grower: lines of JSON in a file on the file system they share."""

import dataclasses
import json
from pathlib import Path

from vitzoo.growing.engines.contract import Begun, Message, Requeued
from vitzoo.growing.events import EpochDone, JobDone, JobFailed, JobStopped, Note, Stepped

KINDS = {kind.__name__: kind for kind in (Begun, Requeued, Note, Stepped, EpochDone, JobDone, JobFailed, JobStopped)}


def write(path: Path, message: Message) -> None:
    """Append a message. The file is closed after each: network file systems show others what was closed."""
    line = json.dumps({"kind": type(message).__name__, **dataclasses.asdict(message)})
    with path.open("ab", buffering=0) as file:
        file.write(line.encode() + b"\n")  # in one write: the thread that stores epochs tells, too


class Reader:
    """Reads a journal that grows; lines that are not yet whole wait for the next time.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "journal"
    >>> reader = Reader(path)
    >>> write(path, Begun("a")); write(path, Note("hello"))
    >>> reader.news(), reader.news()
    ([Begun(job='a'), Note(text='hello')], [])
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def news(self) -> list[Message]:
        """Return what was written since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._read += len(whole) + len(newline)
        return [_message(line) for line in whole.splitlines()]


def _message(line: bytes) -> Message:
    values = json.loads(line)
    return KINDS[values.pop("kind")](**values)
