"""Which web addresses are followed. Pure.

Only ``https``, and ``http`` to this machine; other ``http`` only if the user allows it, because whoever sits between
could change the files. A redirect may not change the kind of address (never ``file:``), nor lead from elsewhere to
this machine.
"""

from urllib.parse import quote, urljoin, urlsplit

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo.remote.address import is_here, is_safe

REDIRECTS = 5


def base(address: str, insecure: bool) -> str:
    """Return the address of a folder, ending in a slash; InputError if it cannot be one.

    >>> base("https://example.org/zoo", insecure=False)
    'https://example.org/zoo/'
    """
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is none
    except ValueError:
        parts = urlsplit("")
    if not parts.hostname:
        raise InputError(f"{address!r} is no web address of a folder.")
    if parts.username is not None or parts.password is not None:
        raise InputError("An address must not hold a password; put it into ~/.netrc, where it is not logged.")
    if parts.query or parts.fragment:
        raise InputError(f"{address!r} has a query or a fragment; give the address of a folder.")
    if not (insecure or is_safe(address)):
        raise InputError(
            f"{address!r} is not encrypted, so anybody on the way could change what arrives. "
            "Use https, or --insecure if you accept that."
        )
    return address if address.endswith("/") else f"{address}/"


def below(base: str, path: str) -> str:
    """Address of a file or folder below a base.

    >>> below("https://example.org/zoo/", "a b/c#d")
    'https://example.org/zoo/a%20b/c%23d'
    """
    return base + quote(path, safe="/")


def redirected(current: str, location: str, insecure: bool) -> str:
    """Return where a redirect leads, or raise IntegrityError if it may not be followed.

    >>> redirected("https://example.org/a/b", "../c", insecure=False)
    'https://example.org/c'
    """
    try:
        target = urljoin(current, location)
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
        kind = is_safe(target) or (insecure and parts.scheme == "http")
        followed = bool(host) and kind and (is_here(current) or not is_here(target))
    except ValueError:
        target, followed = "", False
    if not followed:
        raise IntegrityError(f"{current} redirects to {location[:200]!r}, which is not followed.")
    return target


def same_host(one: str, other: str) -> bool:
    """Say whether two addresses are of one server."""
    a, b = urlsplit(one), urlsplit(other)
    return (a.scheme, a.netloc) == (b.scheme, b.netloc)
