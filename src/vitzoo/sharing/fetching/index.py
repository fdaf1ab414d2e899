"""A folder's listing as nginx writes it with ``autoindex_format json``. Pure."""

from typing import Any

from vitzoo.errors import DataError, InputError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.fetching.names import check_followed
from vitzoo.sharing.fetching.source import MAX_ENTRIES, Entry, join

MAX_BYTES = 16_000_000
_FOLDER, _FILE = "directory", "file"


def parse(data: bytes, folder: str, where: str) -> list[Entry]:
    """Return the files and folders of a listing; ``where`` names it in errors.

    >>> text = b'[{"name": "a", "type": "directory"}, {"name": "b", "type": "file", "mtime": "x", "size": 3}]'
    >>> [(entry.path, entry.size, entry.stamp) for entry in parse(text, "zoo", "example")]
    [('zoo/a', None, None), ('zoo/b', 3, 'x')]

    Raises:
        DataError: it is no such listing, or too large for a zoo's folder.
        IntegrityError: a name leaves the folder.
    """
    if data.lstrip()[:1] == b"<":
        raise DataError(
            f"{where} answers with HTML where a listing in JSON is needed. Give the address of a folder that is served "
            "with nginx's 'autoindex_format json', or of the same files at s3:// or hf://."
        )
    if len(data) > MAX_BYTES or max(data.count(b"{"), data.count(b"[")) > MAX_ENTRIES:
        raise DataError(f"{where} lists more than {MAX_ENTRIES:,} names; no zoo has so many in one folder.")
    try:
        listed = foreign_json.parse(data, where, MAX_BYTES)
    except InputError as error:
        raise DataError(f"{error} A listing of the folder in JSON is needed.") from None
    if not isinstance(listed, list):
        raise DataError(f"{where} answers with JSON that is no listing of a folder.")
    found = [_entry(item, folder, where) for item in listed]
    if len({entry.path for entry in found if entry}) != sum(entry is not None for entry in found):
        raise DataError(f"{where} lists a name twice.")
    return [entry for entry in found if entry]


def _entry(item: Any, folder: str, where: str) -> Entry | None:
    """One line of the listing; ``None`` for what is neither a file nor a folder."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise DataError(f"{where} has an entry without a name.")
    path = join(folder, check_followed(item["name"], where))
    if item.get("type") == _FOLDER:
        return Entry(path)
    if item.get("type") != _FILE:
        return None
    size, stamp = item.get("size"), item.get("mtime")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise DataError(f"{where} does not say how many bytes {item['name']!r} has.")
    return Entry(path, size, stamp if isinstance(stamp, str) else None)
