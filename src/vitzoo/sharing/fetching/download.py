"""One file from a source to its place: resumed, checked, recorded, and only then given its name."""

import os
from collections.abc import Callable
from pathlib import Path

from vitzoo.errors import IntegrityError
from vitzoo.sharing.fetching import digests
from vitzoo.sharing.fetching.access import Access
from vitzoo.sharing.fetching.ledger import Ledger, Record
from vitzoo.sharing.fetching.part import Part
from vitzoo.sharing.fetching.patience import Stopped, persist
from vitzoo.sharing.fetching.source import Digest, Entry, SourceError
from vitzoo.sharing.fetching.target import Target
from vitzoo.zoo.atomic import storing

Count = Callable[[int], None]  # bytes that have arrived; fewer than none where they are thrown away


def download(access: Access, entry: Entry, target: Target, ledger: Ledger, arrived: Count) -> Record:
    """Fetch a file, from where an earlier attempt was cut off, and return its record.

    Raises:
        SourceError: the source did not give it, after as many attempts as its patience allows.
        IntegrityError: what arrived is not what the source says it is; the bytes are thrown away.
        VitzooError: it could not be written.
    """
    final = target.make_way(entry)
    part = Part(final)
    with storing(final):
        try:
            given = persist(lambda: _receive(access, entry, part, arrived), access.patience, access.stop, part.length)
            record = _checked(entry, part, given, access)
        except IntegrityError:
            part.discard()  # whatever arrived is not to be trusted
            raise
        ledger.add(record)
        part.finish()
    return record


def _receive(access: Access, entry: Entry, part: Part, arrived: Count) -> Digest | None:
    """Bring what is missing of a file; return the hash that the source has for it."""
    mark = part.mark(entry)
    with access.source.read(entry, mark) as body:
        if mark is None or body.start != mark.start:
            arrived(-mark.start if mark else 0)
            part.begin(entry, body)
        with part.appending() as file:
            for chunk in body.chunks:
                if access.stop.is_set():  # before writing: the caller may be gone, and another fetch at work
                    raise Stopped
                _write(file.fileno(), chunk)
                arrived(len(chunk))
            os.fsync(file.fileno())
        return body.digest


def _checked(entry: Entry, part: Part, given: Digest | None, access: Access) -> Record:
    if part.length() != entry.size:
        raise SourceError(f"{entry.path} arrived with {part.length():,} bytes, not {entry.size:,}.", passing=True)
    sha256 = digests.of_file(part.path, "sha256", access.stop)
    if given:
        found = sha256 if given.algorithm == "sha256" else digests.of_file(part.path, given.algorithm, access.stop)
        if found != given:
            raise IntegrityError(
                f"{entry.path} arrived with the {given.algorithm} {found.hexadecimal}, the source says "
                f"{given.hexadecimal}. The bytes were thrown away; repeat to fetch it again."
            )
    return Record(entry.path, part.length(), entry.stamp, sha256.hexadecimal, given.algorithm if given else "size")


def is_intact(path: Path, record: Record, access: Access, read: Count) -> bool:
    """Say whether a file still has the bytes that were fetched."""
    with storing(path):
        return digests.of_file(path, "sha256", access.stop, read).hexadecimal == record.sha256


def _write(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:  # a raw write may be partial
        view = view[os.write(descriptor, view) :]
