"""A repository before it is anywhere: every file with its place and its content."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vitzoo.sharing.publishing.address import Address
from vitzoo.zoo.layout import CONFIG, MANIFEST, RESULT, WEIGHTS
from vitzoo.zoo.regular import read_bytes
from vitzoo.zoo.strict_json import MAX_BYTES

if TYPE_CHECKING:
    from vitzoo.zoo import Checkpoint, Member

Kind = Literal["dataset", "model"]
MAX_RESULT = 64_000_000  # bytes of a result.json, as the format says


@dataclass(frozen=True)
class File:
    """A file: its place in the repository, its size in bytes, and its bytes or the checkpoint whose weights it is."""

    place: str
    size: int
    content: "bytes | Checkpoint"


@dataclass(frozen=True)
class Repository:
    """What a repository will hold, in the order in which it is uploaded."""

    kind: Kind
    address: Address
    files: tuple[File, ...]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.size for file in self.files)

    def url(self, endpoint: str) -> str:
        """Its page on the hub."""
        return f"{endpoint}/{'datasets/' if self.kind == 'dataset' else ''}{self.address.id}"


def made(place: str, content: str | bytes) -> File:
    """Return a file with this content."""
    data = content.encode() if isinstance(content, str) else content
    return File(place, len(data), data)


def weights(place: str, checkpoint: "Checkpoint") -> File:
    """Return the file of a checkpoint's weights."""
    return File(place, checkpoint.manifest["files"][WEIGHTS]["size"], checkpoint)


def of_member(member: "Member") -> Iterable[File]:
    """Yield a member's files, at their places in the zoo; nothing else that lies in its directory.

    What is small is read now, so that all of it is of one moment.
    """
    root = member.path.relative_to(member.zoo.path).as_posix()
    yield made(f"{root}/{CONFIG}", member.config_bytes)
    if os.path.lexists(member.path / RESULT):
        yield made(f"{root}/{RESULT}", read_bytes(member.path / RESULT, MAX_RESULT))
    for checkpoint in member.checkpoints():
        place = f"{root}/{checkpoint.path.name}"
        yield made(f"{place}/{CONFIG}", member.config_bytes)  # the copy is the same, as was verified
        yield made(f"{place}/{MANIFEST}", read_bytes(checkpoint.path / MANIFEST, MAX_BYTES))
        yield weights(f"{place}/{WEIGHTS}", checkpoint)


def plain(path: Path, limit: int = MAX_BYTES) -> bytes | None:
    """Read a person's file in the zoo; None if there is none, IntegrityError if it is none that can be published."""
    return read_bytes(path, limit) if os.path.lexists(path) else None
