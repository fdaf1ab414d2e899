"""The catalogue: one row per checkpoint in Parquet, derived from the tree and rebuilt when the tree has changed."""

import gc
import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from vitzoo.errors import IntegrityError, VitzooError
from vitzoo.zoo import atomic, rows
from vitzoo.zoo.layout import CATALOGUE, ZOO_JSON
from vitzoo.zoo.strict_json import parse

if TYPE_CHECKING:
    import pyarrow

    from vitzoo.zoo.store import Zoo

VERSION = 2  # raise it when columns change, so that old catalogues are rebuilt
MAX_FILE = 1_000_000_000
# A directory that changes twice within the clock's tick keeps its time, so a tree this young has no fingerprint.
SETTLED_NS = 2_000_000_000
UNSETTLED = "unsettled"
TEXT = frozenset({"parent_member", "parent_sha256", "from_member", "from_sha256", "crop_kind", "parent_dataset"})

# A forked process, such as a DataLoader's worker, has copies of its parent's connections without their threads, and
# dies if it collects one as garbage. So it leaves alone what was there before it.
os.register_at_fork(after_in_child=gc.freeze)


class Catalogue:
    """A catalogue in memory: a DuckDB connection with the table ``catalogue``, shut off from files and network."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, meta: dict[str, Any], notes: list[str]) -> None:
        for setting in ("enable_external_access", "python_enable_replacements"):
            connection.execute(f"SET {setting} = false")
        connection.execute("SET lock_configuration = true")
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
    digest, newest = hashlib.sha256(b"vitzoo-catalogue-%d" % VERSION), 0
    for path in paths:
        changed = os.lstat(path).st_mtime_ns
        newest = max(newest, changed)
        digest.update(f"{path.relative_to(zoo.path).as_posix()}\0{changed}\n".encode())
    return digest.hexdigest() if time.time_ns() - newest > SETTLED_NS else UNSETTLED


def load(zoo: "Zoo") -> Catalogue:
    """Return the catalogue on disk if it is true to the tree, else rebuild it (in memory if the zoo is read-only)."""
    mark = fingerprint(zoo)
    return (None if mark == UNSETTLED else _read(zoo.path / CATALOGUE, mark)) or build(zoo)


def build(zoo: "Zoo") -> Catalogue:
    """Read the tree, store the catalogue if the zoo can be written to, and return it."""
    import pyarrow.parquet

    mark = fingerprint(zoo)  # taken first: what changes from now on makes it stale
    found, summary = rows.all_rows(zoo)
    meta = {"version": VERSION, "fingerprint": mark, "summary": summary}
    table = _arrow(found).replace_schema_metadata({"vitzoo": json.dumps(meta)})
    buffer = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    notes = []
    try:
        atomic.replace_file(zoo.path / CATALOGUE, buffer.getvalue().to_pybytes())
    except VitzooError as error:
        notes.append(f"The catalogue was built in memory only, because it could not be stored: {error.__cause__}.")
    connection = duckdb.connect()
    connection.from_arrow(table).create("catalogue")
    return Catalogue(connection, meta, notes)


def _read(path: Path, mark: str) -> Catalogue | None:
    """Open the stored catalogue if it has this fingerprint; anything wrong with it means: rebuild."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE:
        return None
    connection = duckdb.connect()
    try:
        name = _escape(path)
        found = connection.execute("SELECT value FROM parquet_kv_metadata(?) WHERE key = 'vitzoo'", [name]).fetchone()
        meta = parse(bytes(found[0]), path) if found else {}
        if not isinstance(meta, dict) or meta.get("fingerprint") != mark or not isinstance(meta.get("summary"), dict):
            return None
        connection.execute("CREATE TABLE catalogue AS SELECT * FROM read_parquet(?)", [name])
        catalogue = Catalogue(connection, meta, [])
    except (duckdb.Error, IntegrityError, KeyError):
        return None
    return catalogue if set(rows.REQUIRED) <= set(catalogue.columns) else None


def _escape(path: Path) -> str:
    """Keep DuckDB from reading a path as a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def _arrow(found: list[rows.Row]) -> "pyarrow.Table":
    import pyarrow

    return pyarrow.table({name: _column(name, [row.get(name) for row in found]) for name in rows.columns(found)})


def _column(name: str, values: list[Any]) -> "pyarrow.Array":
    import pyarrow

    try:
        array = pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):
        # Members of one zoo disagree on the type; as text the column stays readable.
        return pyarrow.array([value if value is None else json.dumps(value) for value in values], pyarrow.string())
    if pyarrow.types.is_null(array.type):
        return array.cast(pyarrow.string() if name in TEXT or name in rows.REQUIRED else pyarrow.float64())
    return array


def _damage(summary: dict[str, Any]) -> list[str]:
    count = summary.get("unreadable", 0)
    if not count:
        return []
    first = summary.get("unreadable_first") or [""]
    return [f"{count} parts of the zoo cannot be read and are left out; run `vitzoo verify`. The first: {first[0]}"]
