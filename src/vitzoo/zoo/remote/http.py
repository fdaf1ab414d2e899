"""Parts of files over HTTP: redirects are policed, answers compared with what was asked for, failures repeated."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from vitzoo.errors import IntegrityError
from vitzoo.zoo.remote.address import is_here, is_safe

if TYPE_CHECKING:
    from aiohttp import ClientResponse

REDIRECTS = 5
BUFFER = 1 << 20  # bytes that may arrive before they are taken
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before another attempt
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers after which another attempt may do better
_MOVED = frozenset({301, 302, 303, 307, 308})
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.ASCII)


class PassingError(OSError):
    """A failure after which another attempt may do better."""


class Http:
    """The ``Server`` of a folder on the web.

    ``headers`` go to its own host only. ``version`` is that of all files, where they cannot change.
    """

    def __init__(self, base: str, headers: Mapping[str, str] | None = None, version: str | None = None) -> None:
        from aiohttp import ClientTimeout
        from fsspec.implementations.http import HTTPFileSystem

        self._base, self._secret, self._version = base, dict(headers or {}), version
        # The file system lends its loop and session; its own reading does not look at what a server answers.
        timeout = ClientTimeout(total=300, sock_connect=15, sock_read=60)
        # Proxies come from the environment and passwords from ~/.netrc.
        client = {"timeout": timeout, "trust_env": True, "read_bufsize": BUFFER}
        self._system = HTTPFileSystem(client_kwargs=client, skip_instance_cache=True)

    def get(self, path: str, begin: int, end: int) -> bytes:
        return self._ask(path, begin, end)[0]

    def version(self, path: str) -> str | None:
        if self._version is not None:
            return self._version
        headers = self._ask(path, 0, 1)[1]
        tag, size = headers.get("ETag"), headers.get("Content-Range", "").rpartition("/")[2]
        return tag or (f"{headers['Last-Modified']} {size}" if "Last-Modified" in headers else None)

    def _ask(self, path: str, begin: int, end: int) -> tuple[bytes, Mapping[str, str]]:
        from fsspec.asyn import sync

        answer: Any = sync(self._system.loop, self._patiently, f"{self._base}/{path}", begin, end)
        return answer

    async def _patiently(self, url: str, begin: int, end: int) -> tuple[bytes, Mapping[str, str]]:
        for pause in PAUSES:
            try:
                return await self._once(url, begin, end)
            except PassingError:
                await asyncio.sleep(pause * random.uniform(0.5, 1))
        return await self._once(url, begin, end)

    async def _once(self, url: str, begin: int, end: int) -> tuple[bytes, Mapping[str, str]]:
        from aiohttp import ClientError

        try:
            async with self._followed(url, f"bytes={begin}-{end - 1}") as reply:
                if reply.status == 416:  # the file ends before
                    return b"", reply.headers
                _check_status(reply.status)
                return await _body(reply, url, begin, end), reply.headers
        except (ClientError, TimeoutError) as error:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise PassingError(text) from error

    @asynccontextmanager
    async def _followed(self, url: str, span: str) -> "AsyncIterator[ClientResponse]":
        """Ask for an address and follow its redirects, never to where bytes could be changed on the way."""
        session: Any = await self._system.set_session()
        headers = {"User-Agent": "vitzoo", "Range": span, "Accept-Encoding": "identity"}
        for _ in range(REDIRECTS):
            own = self._secret if _host(url) == _host(self._base) else {}
            async with session.get(url, headers=headers | own, allow_redirects=False) as reply:
                if reply.status not in _MOVED:
                    yield reply
                    return
                url = _redirected(url, reply.headers.get("Location", ""))
        raise OSError(f"it redirects more than {REDIRECTS} times")


async def _body(reply: "ClientResponse", url: str, begin: int, end: int) -> bytes:
    """Read the part that was asked for, and not a byte more."""
    if reply.headers.get("Content-Encoding", "identity") != "identity":
        raise IntegrityError(f"{url} is sent compressed although that was not asked for.")
    length = end - begin
    if reply.status == 206:
        length = _promised(reply.headers.get("Content-Range", ""), url, begin, end)
    elif begin:
        raise OSError("the server sends whole files only; it has no support for ranges")
    data = bytearray()
    async for chunk in reply.content.iter_any():
        data += chunk
        if len(data) > length:
            break
    if reply.status == 206 and len(data) > length:
        raise IntegrityError(f"{url} answers with more bytes than it said.")
    if reply.status == 206 and len(data) < length:
        raise PassingError("the connection was cut off")
    return bytes(data[:length])


def _promised(header: str, url: str, begin: int, end: int) -> int:
    """Return how many bytes an answer has; IntegrityError unless they are those that were asked for."""
    match = _RANGE.fullmatch(header)
    if match and int(match[1]) == begin:
        size = end if match[3] == "*" else int(match[3])
        if int(match[2]) + 1 == min(end, size) > begin:
            return min(end, size) - begin
    raise IntegrityError(f"{url} answers with {header[:80]!r} where bytes {begin} to {end - 1} were asked for.")


def _check_status(status: int) -> None:
    if status in (200, 206):
        return
    if status in (404, 410):
        raise FileNotFoundError(f"status {status}")
    if status in (401, 403):
        raise PermissionError(f"status {status}")
    raise (PassingError if status in PASSING else OSError)(f"the server answers with status {status}")


def _redirected(url: str, location: str) -> str:
    target = urljoin(url, location)
    if not is_safe(target) or (is_here(target) and not is_here(url)):
        raise IntegrityError(f"{url} redirects to {target[:200]!r}, which is not followed.")
    return target


def _host(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
