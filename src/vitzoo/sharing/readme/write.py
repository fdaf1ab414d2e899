"""Write the README of a zoo, unless a person has."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.errors import IntegrityError
from vitzoo.sharing.readme.about import about
from vitzoo.sharing.readme.mark import is_ours, marked
from vitzoo.sharing.readme.text import text
from vitzoo.zoo import atomic
from vitzoo.zoo.regular import read_bytes

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

README = "README.md"
MAX_BYTES = 1_000_000  # of a README that is read


def write(zoo: "Zoo") -> bool:
    """Write what the zoo is into its ``README.md``; False, and nothing is changed, if a person wrote the one there.

    The same zoo gets the same text. VitzooError if it cannot be written.

    >>> import vitzoo
    >>> write(vitzoo.open("zoos/nano"))  # doctest: +SKIP
    True
    """
    zoo.files.check_here("given a README")
    path = zoo.path / README
    before = read(path)
    if before is None or (before and not is_ours(before)):
        return False
    now = marked(text(about(zoo)))
    if now != before:
        atomic.replace_file(path, now.encode())
    return True


def read(path: Path) -> str | None:
    """Return the README that lies there, empty if none does; None for what is no text file of a sensible size."""
    if not os.path.lexists(path):
        return ""
    try:
        return read_bytes(path, MAX_BYTES).decode()
    except (IntegrityError, UnicodeDecodeError):
        return None
