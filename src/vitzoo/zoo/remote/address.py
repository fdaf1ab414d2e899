"""What an address of a zoo is. Pure, and imported by every ``vitzoo.open``.

Only encrypted ways are taken: a tensor that is read alone cannot be checked against a digest, so whoever sits on the
way could change it. Plain ``http`` is for this machine.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vitzoo.errors import InputError

FORMS = "s3://bucket/zoo, https://host/zoo, hf://datasets/user/name or file:///directory"
# A Path has one slash where an address has two; a drive of Windows has one letter.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(/?)")
_HUB = re.compile(r"datasets/([A-Za-z0-9][\w.-]*/[\w.-]+)(?:@([^/@]+))?(?:/(.+))?", re.ASCII)


@dataclass(frozen=True)
class Address:
    """A checked address: its scheme, and the rest without a slash at the end."""

    scheme: str
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.rest}"


@dataclass(frozen=True)
class HubPlace:
    """A folder of a data set on the hub, ``""`` for all of it, at a revision or the main one."""

    repository: str
    revision: str | None
    folder: str


def is_address(place: str | Path) -> bool:
    """Say whether a place is an address rather than a directory.

    >>> is_address("s3://bucket/zoo"), is_address("zoos/nano"), is_address("C:/zoo")
    (True, False, False)
    """
    return _ADDRESS.match(str(place)) is not None


def check_directory(place: str | Path) -> Path:
    """Return a place as a path, or raise InputError if it is an address, where nothing can be written."""
    if is_address(place):
        raise InputError(f"{place} is an address, and a zoo can be written only to a directory. Give a directory.")
    return Path(place)


def parse(text: str) -> Address:
    """Return the parts of an address; InputError says what is wrong with it.

    >>> parse("s3://bucket/zoos/nano/")
    Address(scheme='s3', rest='bucket/zoos/nano')
    """
    match = _ADDRESS.match(text)
    if match is None or not match[2]:
        raise InputError(f"{text!r} is no address, which looks like {FORMS}, and is given as text, not as a Path.")
    scheme, rest = match[1].lower(), text[match.end() :].rstrip("/")
    if scheme not in _CHECKS:
        raise InputError(f"{text!r} begins with {scheme}://, which is not known. Use {FORMS}.")
    if not text.isprintable() or " " in text or {"?", "#", "\\"} & {*text}:
        raise InputError(f"{text!r} has characters that no address of a zoo has: spaces, '?', '#', '\\' or controls.")
    if {".", ".."} & {*rest.split("/")}:
        raise InputError(f"{text!r} has '.' or '..' in it. Give the plain address.")
    if problem := _CHECKS[scheme](rest):
        raise InputError(f"{text!r} {problem}")
    return Address(scheme, rest)


def directory(address: Address) -> Path:
    """Return the directory that a ``file://`` address names.

    >>> str(directory(parse("file:///data/my%20zoo")))
    '/data/my zoo'
    """
    return Path("/" + unquote(address.rest.removeprefix("localhost").lstrip("/")))


def on_hub(address: Address) -> HubPlace:
    """Return what a ``hf://`` address names.

    >>> on_hub(parse("hf://datasets/user/zoo@v1/nano"))
    HubPlace(repository='user/zoo', revision='v1', folder='nano')
    """
    match = _HUB.fullmatch(address.rest)
    assert match is not None, "parse checks it"
    return HubPlace(match[1], None if match[2] is None else unquote(match[2]), match[3] or "")


def is_safe(url: str) -> bool:
    """Say whether what comes from a web address cannot be changed on the way: it is encrypted, or of this machine.

    >>> is_safe("https://example.org/zoo"), is_safe("http://example.org/zoo"), is_safe("http://127.0.0.1:8000/zoo")
    (True, False, True)
    """
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_here(url))


def is_here(url: str) -> bool:
    """Say whether a web address is on this machine."""
    from ipaddress import ip_address  # only here: every zoo is opened by way of this file

    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _web(scheme: str, rest: str) -> str | None:
    url = f"{scheme}://{rest}"
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return "is no web address."
    if not parts.hostname:
        return "names no host."
    if parts.username is not None:
        return "holds a password or user. Put it into ~/.netrc, where it is not logged."
    return None if is_safe(url) else "is not encrypted, so anybody on the way could change weights. Use https."


def _s3(rest: str) -> str | None:
    return None if rest.split("/")[0] else "names no bucket. Use s3://bucket/zoo."


def _hub(rest: str) -> str | None:
    return (
        None if _HUB.fullmatch(rest) else "names no data set. Use hf://datasets/user/name, with @revision if need be."
    )


def _file(rest: str) -> str | None:
    return None if rest.startswith(("/", "localhost/")) else "is on another machine. Use file:///directory."


_CHECKS = {
    "http": lambda rest: _web("http", rest),
    "https": lambda rest: _web("https", rest),
    "s3": _s3,
    "hf": _hub,
    "file": _file,
}
