"""Bytes over HTTP: one request with its redirects policed, small documents, and files from a mark on."""

import email.utils
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vitzoo.errors import DataError, IntegrityError
from vitzoo.sharing.fetching import addresses
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.source import CHUNK, Body, Entry, Mark, SourceError
from vitzoo.zoo.remote.http import PASSING

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

RANGE_REFUSED = 416
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", re.ASCII)


class Web:
    """A client for all threads; each has its own connections, which are kept open."""

    def __init__(self, patience: Patience, insecure: bool = False, headers: Mapping[str, str] | None = None) -> None:
        self._patience = patience
        self._insecure = insecure
        self._headers = {"User-Agent": "vitzoo", "Accept-Encoding": "identity"}
        self._secret = dict(headers or {})  # for the first host only, never for one that it redirects to
        self._own = threading.local()

    def small(self, url: str, limit: int) -> bytes:
        """Return a document of at most ``limit`` bytes; DataError if it is larger, SourceError if it takes too long."""
        until = time.monotonic() + self._patience.small
        parts, length = [], 0
        with self._get(url, {}) as response:
            for chunk in _chunks(response):
                parts.append(chunk)
                length += len(chunk)
                if length > limit:
                    raise DataError(f"{url} answers with more than {limit:,} bytes, which is not read.")
                if time.monotonic() > until:
                    raise SourceError(f"{url} takes more than {self._patience.small:g} s to answer.", passing=True)
        return b"".join(parts)

    @contextmanager
    def file(self, url: str, entry: Entry, mark: Mark | None) -> Iterator[Body]:
        """Open a file whose size is known; from the mark on if it is still the same version."""
        size = entry.size or 0
        validator = _validator(mark) if mark else None
        if mark and mark.start == size:
            yield Body(size, iter(()), mark.etag, mark.modified, entry.digest)
            return
        asked = {"Range": f"bytes={mark.start}-", "If-Range": validator} if mark and mark.start and validator else {}
        with self._get(url, asked) as response:
            start = 0 if response.status_code == 200 else _start(response, mark, size)
            if start is not None:
                yield self._body(response, url, entry, start)
                return
        with self._get(url, {}) as response:  # what came for the range is of no use: all of it
            yield self._body(response, url, entry, 0)

    def _body(self, response: "Response", url: str, entry: Entry, start: int) -> Body:
        length, left = response.headers.get("Content-Length"), (entry.size or 0) - start
        kind = response.headers.get("Content-Type", "no type")[:60]
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DataError(f"{url} is sent compressed although that was not asked for.")
        if response.status_code == 206 and not start:
            raise DataError(f"{url} answers with a part of the file although all of it was asked for.")
        if length is not None and length != str(left):
            raise IntegrityError(
                f"{url} answers with {length[:20]} bytes ({kind}) where the listing leaves {left}. "
                "Repeat, if the file has just been changed."
            )
        headers = response.headers
        chunks = self._measured(_chunks(response), url, left)
        return Body(start, chunks, headers.get("ETag"), headers.get("Last-Modified"), entry.digest)

    def _measured(self, chunks: Iterator[bytes], url: str, left: int) -> Iterator[bytes]:
        """Pass on exactly ``left`` bytes, neither more nor fewer nor too slowly."""
        seconds, least = self._patience.slow
        since, then = time.monotonic(), left
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise IntegrityError(f"{url} sends more bytes than the listing says.")
            yield chunk
            now = time.monotonic()
            if now - since > seconds:
                if then - left < least and left:
                    raise SourceError(f"{url} sends fewer than {least:,} bytes in {seconds:g} s.", passing=True)
                since, then = now, left
        if left:
            raise SourceError(f"{url} was cut off {left:,} bytes before its end.", passing=True)

    @contextmanager
    def _get(self, url: str, headers: dict[str, str]) -> "Iterator[Response]":
        """Ask for an address and follow its redirects; SourceError if the answer has no bytes, but for a bad range."""
        secret = self._secret
        for _ in range(addresses.REDIRECTS):
            with self._ask(url, self._headers | secret | headers) as response:
                if not response.is_redirect:
                    if not (response.status_code == RANGE_REFUSED and "Range" in headers):
                        _check(response, url)
                    yield response
                    return
                target = addresses.redirected(url, response.headers["Location"], self._insecure)
            if not addresses.same_host(url, target):
                secret = {}
            url = target
        raise SourceError(f"{url} redirects more than {addresses.REDIRECTS} times.")

    def _ask(self, url: str, headers: dict[str, str]) -> "Response":
        from requests import RequestException

        timeout = (self._patience.connect, self._patience.silence)
        auth = _as_it_is if self._secret else None  # else requests would put what ~/.netrc says over a token
        try:
            return self._session.get(
                url, headers=headers, timeout=timeout, auth=auth, stream=True, allow_redirects=False
            )
        except RequestException as error:
            reason = _reason(error)
            lasting = isinstance(error, ValueError) or "certificate" in reason
            raise SourceError(f"{url} cannot be reached: {reason}.", passing=not lasting) from error

    @property
    def _session(self) -> "Session":
        from requests import Session

        if not hasattr(self._own, "session"):
            self._own.session = Session()
        return self._own.session


def _as_it_is(request: "PreparedRequest") -> "PreparedRequest":
    return request


def _chunks(response: "Response") -> Iterator[bytes]:
    """Yield bytes as they come, so that none are lost where a connection breaks."""
    from urllib3.exceptions import HTTPError

    try:
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield chunk
    except (HTTPError, OSError) as error:
        raise SourceError(f"{response.url} was cut off: {_reason(error)}.", passing=True) from error


def _validator(mark: Mark) -> str | None:
    """What If-Range may compare: an ETag that is not weak, else a date."""
    return mark.etag if mark.etag and not mark.etag.startswith("W/") else mark.modified


def _start(response: "Response", mark: Mark | None, size: int) -> int | None:
    """Where a partial answer begins if it continues the mark's version; ``None`` if it does not."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if mark is None or match is None or int(match[1]) != mark.start or match[2] not in (str(size), "*"):
        return None
    same = (response.headers.get("ETag"), response.headers.get("Last-Modified")) == (mark.etag, mark.modified)
    return mark.start if same else None


def _check(response: "Response", url: str) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status in (401, 403):
        said = "refuses access; put a user and password into ~/.netrc if it needs them"
    else:
        said = {404: "does not exist", 410: "is gone", 429: "asks to wait"}.get(status, "cannot be had")
    raise SourceError(
        f"{url} {said} (status {status}).", passing=status in PASSING, wait=_wait(response.headers.get("Retry-After"))
    )


def _wait(text: str | None) -> float | None:
    """Seconds of a Retry-After, which is a number or a date; ``None`` if it is neither.

    >>> _wait("7"), _wait("soon"), _wait(None)
    (7.0, None, None)
    """
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    with suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return None


def _reason(error: BaseException) -> str:
    """What the operating system said, which lies below several layers of errors."""
    innermost: BaseException = error
    while innermost.__cause__ or innermost.__context__:
        innermost = innermost.__cause__ or innermost.__context__ or innermost
    text = getattr(innermost, "strerror", None) or getattr(innermost, "verify_message", None) or str(innermost)
    if getattr(innermost, "verify_message", None):
        text = f"its certificate is not valid ({text})"
    return (text or type(innermost).__name__)[:200]
