"""A source with patience: listings and small files, many at once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from vitzoo.errors import InputError
from vitzoo.sharing.fetching.patience import Patience, persist
from vitzoo.sharing.fetching.source import Entry, Source
from vitzoo.sharing.fetching.threads import Done, each

T = TypeVar("T")
R = TypeVar("R")
Tell = Callable[[str, int, int], None]  # what is done, how much of it, of how much


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass
class Access:
    """What is fetched from, by how many threads, how patiently; ``stop`` ends all of it."""

    source: Source
    parallel: int = 8
    patience: Patience = field(default_factory=Patience)
    stop: Event = field(default_factory=Event)

    def entries(self, folder: str) -> list[Entry]:
        """List a folder."""
        return persist(lambda: self.source.entries(folder), self.patience, self.stop)

    def small(self, entry: Entry, limit: int) -> bytes:
        """Return the bytes of a small file; InputError if it has more than ``limit``."""
        if (entry.size or 0) > limit:
            raise InputError(f"{entry.path} has {entry.size:,} bytes; more than {limit:,} are not read.")
        return persist(lambda: self._read(entry), self.patience, self.stop)

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Done[T, R]]:
        """Do something to every item in parallel; see ``threads.each``."""
        return each(function, items, self.parallel, self.stop)

    def _read(self, entry: Entry) -> bytes:
        with self.source.read(entry, None) as body:
            return b"".join(body.chunks)
