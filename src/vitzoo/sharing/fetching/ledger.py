"""``fetch.json`` beside the tree, in JSON lines: which version of which file was fetched, and its SHA-256.

A line is written before its file gets its name, so a file without a line was not fetched by us, and is left alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from vitzoo.errors import BusyError, InputError, IntegrityError
from vitzoo.sharing.fetching.patience import Stopped
from vitzoo.sharing.fetching.source import Entry
from vitzoo.zoo.atomic import storing
from vitzoo.zoo.layout import SHA256
from vitzoo.zoo.strict_json import encode, parse, read_bytes

NAME = "fetch.json"
MAX_BYTES = 1_000_000_000
_CHECKED = ("sha256", "md5", "git", "size")


@dataclass(frozen=True)
class Record:
    """A file as it was fetched; ``checked`` says what the source gave to compare it with: a hash, or its size alone."""

    path: str
    size: int
    stamp: str | None
    sha256: str
    checked: str

    def is_of(self, entry: Entry) -> bool:
        """Say whether this is the version that the source has now."""
        return (self.size, self.stamp) == (entry.size, entry.stamp)


class Ledger:
    """The records of one directory, by path."""

    def __init__(self, file: Path, records: dict[str, Record], descriptor: int | None = None) -> None:
        self.records = records
        self._file = file
        self._descriptor = descriptor
        self._lock = Lock()

    def add(self, record: Record) -> None:
        """Append a record and make it survive a power cut."""
        with self._lock, storing(self._file):
            if self._descriptor is None:  # a thread that outlived its caller
                raise Stopped
            _append(self._descriptor, asdict(record))
            self.records[record.path] = record

    def close(self) -> None:
        """Take no more records."""
        with self._lock:
            self._descriptor = None


def read(directory: Path, source: str) -> Ledger:
    """Read the ledger of a directory, which may have none.

    Raises:
        InputError: the directory holds what was fetched from another source.
        IntegrityError: the ledger is damaged.
    """
    file = directory / NAME
    if not os.path.lexists(file):
        return Ledger(file, {})
    lines = read_bytes(file, MAX_BYTES).split(b"\n")[:-1]  # what has no line end is a write that a kill cut off
    if not lines:
        return Ledger(file, {})
    head = _object(lines[0], file)
    if head.get("format") != 1 or not isinstance(head.get("source"), str):
        raise IntegrityError(f"{file} is no record of what was fetched. Fetch into another directory.")
    if head["source"] != source:
        raise InputError(f"{directory} was fetched from {head['source']}. Use another directory for {source}.")
    records = (_record(_object(line, file), file) for line in lines[1:])
    return Ledger(file, {record.path: record for record in records})


@contextmanager
def writing(directory: Path, source: str) -> Iterator[Ledger]:
    """Open the ledger of a directory for one process alone; BusyError if another fetches into it."""
    file = directory / NAME
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with storing(file):
        descriptor = os.open(file, flags, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BusyError(f"Another process is fetching into {directory}. Wait for it, or stop it.") from None
        ledger = read(directory, source)
        with storing(file):
            _repair(descriptor)
            if not os.fstat(descriptor).st_size:
                _append(descriptor, {"format": 1, "source": source})
        open_ledger = Ledger(file, ledger.records, descriptor)
        try:
            yield open_ledger
        finally:
            open_ledger.close()
    finally:
        os.close(descriptor)


def _append(descriptor: int, value: dict[str, Any]) -> None:
    data = encode(value, indent=None)
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _repair(descriptor: int) -> None:
    """Cut off a line that a kill left unfinished."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, min(size, 1 << 20), max(0, size - (1 << 20)))
    os.ftruncate(descriptor, size - len(tail) + tail.rfind(b"\n") + 1)


def _object(line: bytes, file: Path) -> dict[str, Any]:
    value = parse(line, file)
    if not isinstance(value, dict):
        raise IntegrityError(f"{file} has a line that is no record. Fetch into another directory.")
    return value


def _record(value: dict[str, Any], file: Path) -> Record:
    path, size, stamp, sha256, checked = (value.get(name) for name in ("path", "size", "stamp", "sha256", "checked"))
    if (
        isinstance(path, str)
        and type(size) is int
        and (stamp is None or isinstance(stamp, str))
        and isinstance(sha256, str)
        and SHA256.fullmatch(sha256)
        and checked in _CHECKED
    ):
        return Record(path, size, stamp, sha256, checked)
    raise IntegrityError(f"{file} has a line that is no record. Fetch into another directory.")
