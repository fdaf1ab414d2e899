"""Write the README of a zoo, unless a person has."""

from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.sharing.readme.about import about
from vitzoo.sharing.readme.mark import is_ours, marked
from vitzoo.sharing.readme.text import text
from vitzoo.zoo import atomic

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
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return None
    try:
        return path.read_bytes().decode() if path.stat().st_size <= MAX_BYTES else None
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        return None
