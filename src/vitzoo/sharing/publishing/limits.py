"""What the hub takes, checked before anything is sent.

Reference: the hub's recommendations for large repositories: files in one, entries of a folder, size of a file.
"""

from collections import Counter
from pathlib import PurePosixPath

from vitzoo.errors import InputError
from vitzoo.sharing.publishing.repository import Repository

FILES = 100_000
ENTRIES = 10_000
LARGEST = 200_000_000_000  # bytes


def check(repository: Repository) -> None:
    """Raise InputError if the hub would refuse the repository, or serve it badly."""
    where = f"{repository.address.id} would hold"
    if len(repository.files) >= FILES:
        raise InputError(
            f"{where} {len(repository.files):,} files, and the hub wants fewer than {FILES:,} in one repository. "
            "Publish parts of the zoo with --where."
        )
    entries = Counter(folder for folder, _ in {pair for file in repository.files for pair in _pairs(file.place)})
    folder, number = max(entries.items(), key=lambda item: item[1], default=("", 0))
    if number > ENTRIES:
        raise InputError(
            f"{where} {number:,} entries in the folder {folder!r}, and the hub takes {ENTRIES:,} at most. "
            "Publish parts of the zoo with --where."
        )
    for file in repository.files:
        if file.size >= LARGEST:
            raise InputError(f"{where} {file.place} of {file.size:,} bytes; the hub takes less than {LARGEST:,}.")


def _pairs(place: str) -> list[tuple[str, str]]:
    """List each folder above a file with the entry of it that leads there.

    >>> _pairs("a/b/c")
    [('', 'a'), ('a', 'b'), ('a/b', 'c')]
    """
    parts = PurePosixPath(place).parts
    return [("/".join(parts[:depth]), part) for depth, part in enumerate(parts)]
