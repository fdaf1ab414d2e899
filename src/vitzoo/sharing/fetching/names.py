"""Names that come from somewhere else: which may be followed at all, and which may become files here. Pure."""

import string
from collections.abc import Iterable
from pathlib import PurePosixPath

from vitzoo.errors import IntegrityError

MAX_NAME = 200  # bytes
MAX_PATH = 1_000
_ALLOWED = frozenset(string.ascii_letters + string.digits + " _.,=+-@()[]")
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))})


def check_followed(name: str, where: str) -> str:
    """Return a name from a listing, or raise IntegrityError if it could mean another folder than the one listed.

    >>> check_followed("checkpoint_000005", "https://example.org/zoo/")
    'checkpoint_000005'
    """
    if name in ("", ".", "..") or any(c in "/\\" or not c.isprintable() for c in name):
        raise IntegrityError(
            f"{where} lists {name[:80]!r}, which is no plain name and could lead elsewhere. Nothing is taken."
        )
    return name


def is_storable(name: str) -> bool:
    """Say whether a file may have this name on every system.

    >>> [is_storable(name) for name in ("sl_ft_SD_42_LR_0.001", "NN_1_lr=0.1,wd=0", "a:b", "nul.txt", "a.", ".hidden")]
    [True, True, False, False, False, False]
    """
    return (
        0 < len(name) <= MAX_NAME
        and _ALLOWED.issuperset(name)
        and name[0] not in ". "
        and name[-1] not in ". "
        and name.partition(".")[0].upper() not in _DEVICES
    )


def check_storable(paths: Iterable[str]) -> None:
    """IntegrityError if a path cannot be a file on every system, or two are one where case is ignored."""
    seen: dict[str, str] = {}
    for path in paths:
        parts = PurePosixPath(path).parts
        if len(path) > MAX_PATH or not all(map(is_storable, parts)):
            raise IntegrityError(
                f"The source names a file {path[:300]!r}, which cannot be stored on every system. "
                "Leave its member out with --where \"member != '…'\"."
            )
        for length in range(1, len(parts) + 1):
            above = "/".join(parts[:length])
            other = seen.setdefault(above.casefold(), above)
            if other != above:
                raise IntegrityError(
                    f"The source has {other!r} and {above!r}, which are one name where case is ignored. "
                    "Leave one of them out with --where \"member != '…'\"."
                )
