"""One remote zoo's folder: small files and long stretches of bytes, with errors that say what and what to do."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from threading import BoundedSemaphore
from typing import Any

from vitzoo.errors import InputError, IntegrityError, VitzooError
from vitzoo.zoo.remote.address import Address, on_hub
from vitzoo.zoo.remote.server import Server

CHUNK = 4 << 20  # bytes asked for at once
AT_ONCE = 8  # requests for one stretch of bytes
MOST = 16  # requests of all threads
AGAIN = "Publish the zoo again, or tell whoever did"
EXTRAS = {"hf": "remote,hub", "s3": "remote", "http": "remote", "https": "remote"}


def not_installed(address: Address, error: ImportError) -> InputError:
    """Return the error that says which packages an address needs."""
    extra = EXTRAS[address.scheme]
    return InputError(f"{address} needs a package that is not installed ({error}): pip install 'vitzoo[{extra}]'.")


class MissingError(IntegrityError):
    """A file that is not on the server; ``path`` is its place in the zoo."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text)
        self.path = path


class Place:
    """A folder at an address. It can be used by several threads, and goes to other processes."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._kept = _Connection(address)

    def __reduce__(self) -> tuple[Any, ...]:
        return Place, (self.address,)

    def url(self, path: str) -> str:
        """Return the address of a file."""
        return f"{self.address}/{path}"

    def get(self, path: str, begin: int, end: int) -> bytes:
        """Return the bytes of a file from ``begin`` to before ``end``; fewer only if the file ends there.

        Raises:
            MissingError: there is no such file.
            IntegrityError: the server answers with something else.
            InputError: it may not be read, or a package is missing.
            VitzooError: the server cannot be reached.
        """
        own = self._connection
        with self._told(path), own.room:
            data = own.server.get(path, begin, end)
        if len(data) > end - begin:
            raise IntegrityError(f"{self.url(path)} answers with more bytes than were asked for.")
        return data

    def read(self, path: str, limit: int) -> bytes:
        """Return a whole file; errors as ``get``, and IntegrityError if it has more than ``limit`` bytes."""
        data, asked = bytearray(), 0
        while len(data) == asked <= limit:  # a part that is shorter than asked for is the last
            asked = min(asked + CHUNK, limit + 1)
            data += self.get(path, len(data), asked)
        if len(data) > limit:
            raise IntegrityError(f"{self.url(path)} has more than {limit:,} bytes, which no zoo writes. {AGAIN}.")
        return bytes(data)

    def stream(self, path: str, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a stretch in order, fetched several chunks at once; IntegrityError if the file ends."""
        spans = [(start, min(start + CHUNK, end)) for start in range(begin, end, CHUNK)]
        for (first, last), data in zip(spans, self._chunks(path, spans), strict=True):
            if len(data) != last - first:
                raise IntegrityError(f"{self.url(path)} ends after {first + len(data):,} bytes, too early. {AGAIN}.")
            yield data

    def versions(self, paths: Sequence[str]) -> list[str | None]:
        """Return what identifies the versions of files, ``None`` where the server does not say; errors as ``get``."""
        with ThreadPoolExecutor(len(paths)) as pool:
            return list(pool.map(self._version, paths))

    def how_to_copy(self) -> str:
        """Return a clause that names a command, where there is one, that copies all of it to a directory DIR."""
        if self.address.scheme == "s3":
            return f", for example by `aws s3 sync {self.address} DIR`"
        if self.address.scheme != "hf":
            return ""
        wanted = on_hub(self.address)
        only = f" --include '{wanted.folder}/*'" if wanted.folder else ""
        return f", for example by `hf download {wanted.repository} --repo-type dataset --local-dir DIR{only}`"

    def _version(self, path: str) -> str | None:
        own = self._connection
        with self._told(path), own.room:
            return own.server.version(path)

    def _chunks(self, path: str, spans: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Fetch spans in order, a few ahead of the one that is taken, so that memory stays small."""
        if len(spans) < 2:
            yield from (self.get(path, *span) for span in spans)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            left = iter(spans)
            waiting = [pool.submit(self.get, path, *span) for span in islice(left, AT_ONCE)]
            try:
                while waiting:
                    yield waiting.pop(0).result()
                    waiting += [pool.submit(self.get, path, *span) for span in islice(left, 1)]
            finally:
                pool.shutdown(cancel_futures=True)

    @property
    def _connection(self) -> "_Connection":
        if self._kept.process != os.getpid():
            self._kept = _Connection(self.address)
        return self._kept

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Turn what a server's ``get`` raises into errors for people."""
        url = self.url(path)
        try:
            yield
        except ImportError as error:
            raise not_installed(self.address, error) from None
        except FileNotFoundError:
            raise MissingError(f"{url} is missing. {AGAIN}.", path) from None
        except PermissionError as error:
            raise InputError(f"{url} may not be read ({error}). Check the address and your credentials.") from None
        except OSError as error:
            raise VitzooError(
                f"{url} cannot be read: {error}. Check the network and repeat; what was fetched before is kept."
            ) from error


class _Connection:
    """What one process has of a server. A forked one makes its own: loops, sockets and locks are its parent's."""

    def __init__(self, address: Address) -> None:
        self.process, self.room, self._address = os.getpid(), BoundedSemaphore(MOST), address

    @cached_property
    def server(self) -> Server:
        return _server_of(self._address)


def _server_of(address: Address) -> Server:
    if address.scheme == "s3":
        from vitzoo.zoo.remote.s3 import S3

        return S3(address.rest)
    if address.scheme == "hf":
        from vitzoo.zoo.remote import hub

        return hub.server(address)
    from vitzoo.zoo.remote.http import Http

    return Http(str(address))
