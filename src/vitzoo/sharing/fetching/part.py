"""A file that has not arrived in full: ``NAME.part``, and ``NAME.part.json`` for the version that it is a part of.

The version is written before the first byte, and the part of another version is removed before that; so a part is
always one of the version beside it, wherever a kill comes.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from vitzoo.errors import IntegrityError
from vitzoo.sharing.fetching.source import Body, Entry, Mark
from vitzoo.zoo.atomic import replace_file, sync_directory
from vitzoo.zoo.strict_json import encode, read

ENDING = ".part"


@dataclass(frozen=True)
class Part:
    """The unfinished form of the file ``final``."""

    final: Path

    @property
    def path(self) -> Path:
        return self.final.with_name(self.final.name + ENDING)

    @property
    def _note(self) -> Path:
        return self.final.with_name(f"{self.final.name}{ENDING}.json")

    def length(self) -> int:
        """Bytes that have arrived."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def mark(self, entry: Entry) -> Mark | None:
        """Where to go on; ``None`` if nothing is there of the version that the source has now."""
        length = self.length()
        try:
            note: Any = read(self._note)
        except IntegrityError:  # missing, or cut off
            return None
        if not isinstance(note, dict) or not length or length > (entry.size or 0):
            return None
        if (note.get("size"), note.get("stamp")) != (entry.size, entry.stamp):
            return None
        validators = [note[key] if isinstance(note.get(key), str) else None for key in ("etag", "modified")]
        return Mark(length, *validators)

    def begin(self, entry: Entry, body: Body) -> None:
        """Begin anew with a version of the file."""
        self.discard()
        note = {"size": entry.size, "stamp": entry.stamp, "etag": body.etag, "modified": body.modified}
        replace_file(self._note, encode(note))
        with self.path.open("xb"):
            pass

    def appending(self) -> BinaryIO:
        """Open it for the bytes that follow."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        return os.fdopen(descriptor, "wb", buffering=0)

    def finish(self) -> None:
        """Give it its name, in one step."""
        self.path.rename(self.final)
        self._note.unlink(missing_ok=True)
        sync_directory(self.final.parent)

    def discard(self) -> None:
        """Remove it, the bytes first."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
