"""A folder of a file system that fsspec knows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vitzoo.errors import DataError, InputError, VitzooError
from vitzoo.sharing.fetching.names import check_followed
from vitzoo.sharing.fetching.source import MAX_ENTRIES, Body, Entry, Mark, SourceError, join

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

BLOCK = 8 << 20  # bytes asked for at once
_STAMPS = ("ETag", "etag", "mtime", "last_modified", "LastModified", "updated", "created")


class FileSystemFolder:
    """A source on any file system of fsspec; files are read in blocks, from any byte on.

    Options are those of the file system, as its documentation names them (``anon``, ``endpoint_url``, …).
    """

    def __init__(self, address: str, options: dict[str, Any]) -> None:
        self.address = address.rstrip("/")
        self._options = options
        self._path = self._opened()[1].rstrip("/")

    @property
    def system(self) -> "AbstractFileSystem":
        """The file system, for the current thread where it cannot be shared; fsspec keeps them."""
        return self._opened()[0]

    def _opened(self) -> "tuple[AbstractFileSystem, str]":
        from fsspec.core import url_to_fs

        try:
            return url_to_fs(self.address, **self._options)
        except ImportError as error:
            raise InputError(f"{self.address} needs a package: {error}. Try pip install 'vitzoo[remote]'.") from error
        except (ValueError, TypeError) as error:
            raise InputError(f"{self.address} cannot be opened: {error}.") from error

    def entries(self, folder: str) -> list[Entry]:
        place = self.place(folder)
        with told(place):
            listed = self.system.ls(place, detail=True)
        return [entry for entry in (self.entry(info, folder) for info in limited(listed, place)) if entry]

    def entry(self, info: dict[str, Any], folder: str) -> Entry | None:
        """One line of a listing; ``None`` for what is neither a file nor a folder, or is a link."""
        name = str(info["name"]).rstrip("/").rpartition("/")[2]
        path = join(folder, check_followed(name, self.place(folder)))
        if info.get("islink"):
            return None
        if info["type"] == "directory":
            return Entry(path)
        if info["type"] != "file":
            return None
        if not isinstance(info.get("size"), int):
            raise DataError(f"{self.place(folder)} does not say how many bytes {name!r} has.")
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key) is not None), None)
        return Entry(path, info["size"], stamp)

    @contextmanager
    def read(self, entry: Entry, mark: Mark | None) -> Iterator[Body]:
        start = mark.start if mark else 0
        yield Body(start, self.blocks(entry, start), digest=entry.digest)

    def blocks(self, entry: Entry, start: int) -> Iterator[bytes]:
        """Yield the bytes of a file from ``start`` on."""
        place, size = self.place(entry.path), entry.size or 0
        with told(place):
            if start == size:
                return
            with self.system.open(place, "rb", block_size=BLOCK, cache_type="none") as file:
                file.seek(start)
                while start < size:
                    block = file.read(min(BLOCK, size - start))
                    assert isinstance(block, bytes)
                    if not block:
                        raise SourceError(f"{place} has fewer bytes than the listing says.", passing=True)
                    start += len(block)
                    yield block

    def place(self, path: str) -> str:
        """Path of a file or folder on the file system."""
        return join(self._path, path) if path else self._path


def limited(found: Iterable[Any], place: str) -> Iterator[Any]:
    """Pass on what a folder holds; DataError once there are too many."""
    for number, item in enumerate(found):
        if number >= MAX_ENTRIES:
            raise DataError(f"{place} holds more than {MAX_ENTRIES:,} names; no zoo has so many in one folder.")
        yield item


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turn whatever a file system of fsspec raises into SourceError; most of it may pass."""
    try:
        yield
    except VitzooError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{place} does not exist.") from error
    except PermissionError as error:
        raise SourceError(f"{place} may not be read: {_text(error)}. Look at your credentials.") from error
    except Exception as error:  # each file system has its own, and those of its client below
        lasting = isinstance(error, ValueError | TypeError | NotImplementedError) or "redentials" in str(error)
        raise SourceError(f"{place} cannot be read: {_text(error)}.", passing=not lasting) from error


def _text(error: Exception) -> str:
    return (str(error) or type(error).__name__).removesuffix(".")[:200]
