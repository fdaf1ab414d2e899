"""What a place that files are fetched from must do, and the words for what it holds."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from vitzoo.errors import VitzooError

CHUNK = 256 * 1024  # bytes taken from a connection at once
MAX_ENTRIES = 100_000  # names in one folder; more are no zoo's


class SourceError(VitzooError):
    """A source that cannot be reached, or does not answer as it should.

    ``passing`` says that another attempt may do better, ``wait`` after how many seconds if the source said so.
    """

    def __init__(self, text: str, passing: bool = False, wait: float | None = None) -> None:
        super().__init__(text)
        self.passing = passing
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash that the source gives for a file; ``git`` is the SHA-1 that git gives to a blob."""

    algorithm: str  # "sha256", "md5" or "git"
    hexadecimal: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder at the source; ``size`` is in bytes, and ``None`` for folders.

    ``stamp`` tells versions of a file apart as well as the listing can: a time, an ETag or a hash.
    """

    path: str
    size: int | None = None
    stamp: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class Mark:
    """How far an earlier transfer came, in bytes, and the validators of the version it came from."""

    start: int
    etag: str | None = None
    modified: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a file from ``start`` to its end, with its validators and a hash if the source has one."""

    start: int
    chunks: Iterator[bytes]
    etag: str | None = None
    modified: str | None = None
    digest: Digest | None = None


class Source(Protocol):
    """A tree of files somewhere else. Paths are relative to its address, with ``/`` between folders."""

    address: str

    def entries(self, folder: str) -> list[Entry]:
        """List a folder, ``""`` for the tree itself.

        Raises:
            SourceError: it cannot be listed.
            DataError: what answers is no listing, or one too large for a zoo.
            IntegrityError: a name would leave the folder.
        """
        ...

    def read(self, entry: Entry, mark: Mark | None) -> AbstractContextManager[Body]:
        """Open a file; from the mark on if the source still has that version and can, else from its beginning.

        The chunks are at most what the entry's size leaves, and fewer only if SourceError is raised.
        """
        ...


def join(folder: str, name: str) -> str:
    """Path of a name in a folder of a source.

    >>> join("", "a"), join("a/b", "c")
    ('a', 'a/b/c')
    """
    return f"{folder}/{name}" if folder else name
