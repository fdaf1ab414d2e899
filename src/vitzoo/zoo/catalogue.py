"""The catalogue: one row per checkpoint in Parquet, derived from the tree and rebuilt when the tree has changed."""

import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

import duckdb

from vitzoo.errors import VitzooError
from vitzoo.zoo import atomic, catalogue_file, database, rows
from vitzoo.zoo.layout import CATALOGUE, ZOO_JSON

if TYPE_CHECKING:
    from vitzoo.zoo.store import Zoo

# A directory that changes twice within the clock's tick keeps its time, so a tree this young has no fingerprint.
SETTLED_NS = 2_000_000_000
UNSETTLED = "unsettled"


class Catalogue:
    """A catalogue in memory: a DuckDB connection with the table ``catalogue``, shut off from files and network."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, meta: dict[str, Any], notes: list[str]) -> None:
        database.lock(connection)
        self.connection = connection
        self.fingerprint: str = meta["fingerprint"]
        self.summary: dict[str, Any] = meta["summary"]
        self.notes = [*notes, *_damage(self.summary)]
        self.columns: list[str] = connection.table("catalogue").columns


def fingerprint(zoo: "Zoo") -> str:
    """Digest of names and modification times of ``zoo.json`` and the member directories; cheap in any zoo.

    ``UNSETTLED`` if something changed in the last two seconds.
    """
    paths = [zoo.path / ZOO_JSON, *(member.path for member in zoo.members())]
    digest, newest = hashlib.sha256(b"vitzoo-catalogue-%d" % catalogue_file.VERSION), 0
    for path in paths:
        changed = os.lstat(path).st_mtime_ns
        newest = max(newest, changed)
        digest.update(f"{path.relative_to(zoo.path).as_posix()}\0{changed}\n".encode())
    return digest.hexdigest() if time.time_ns() - newest > SETTLED_NS else UNSETTLED


def load(zoo: "Zoo") -> Catalogue:
    """Return the catalogue on disk if it is true to the tree, else rebuild it (in memory if the zoo is read-only)."""
    mark = fingerprint(zoo)
    return (None if mark == UNSETTLED else stored(zoo, mark)) or build(zoo)


def stored(zoo: "Zoo", mark: str) -> Catalogue | None:
    """Return the catalogue on disk if it has this fingerprint and can be true, else ``None``."""
    places = {member.path.relative_to(zoo.path).as_posix() for member in zoo.members()}
    found = catalogue_file.decode(zoo.path / CATALOGUE, mark, places)
    return found and Catalogue(*found, [])


def build(zoo: "Zoo") -> Catalogue:
    """Read the tree, store the catalogue if the zoo can be written to, and return it."""
    mark = fingerprint(zoo)  # taken first: what changes from now on makes it stale
    found, summary = rows.all_rows(zoo)
    meta, notes = {"fingerprint": mark, "summary": summary}, []
    table, data = catalogue_file.encode(found, meta)
    try:
        atomic.replace_file(zoo.path / CATALOGUE, data)
    except VitzooError as error:
        notes.append(f"The catalogue was built in memory only, because it could not be stored: {error.__cause__}.")
    connection = database.connect()
    connection.from_arrow(table).create("catalogue")
    return Catalogue(connection, meta, notes)


def _damage(summary: dict[str, Any]) -> list[str]:
    count = summary.get("unreadable", 0)
    if not count:
        return []
    first = summary.get("unreadable_first") or [""]
    return [f"{count} parts of the zoo cannot be read and are left out; run `vitzoo verify`. The first: {first[0]}"]
