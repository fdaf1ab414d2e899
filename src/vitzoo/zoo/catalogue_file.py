"""The catalogue as a Parquet file. What is read back is believed only as far as it can be true; a zoo has strangers.

Whatever is wrong with the file means: build the catalogue again. It is never the reason for an error.
"""

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from vitzoo.errors import IntegrityError
from vitzoo.zoo import database, rows
from vitzoo.zoo.layout import FINETUNING, METRIC_NAME, STAGES, is_name
from vitzoo.zoo.regular import opened
from vitzoo.zoo.strict_json import parse

if TYPE_CHECKING:
    import pyarrow

VERSION = 3  # raise it when columns change, so that old catalogues are rebuilt
MAX_FILE = 500_000_000
MAX_ROWS = 2_000_000
KEY = "vitzoo"
TEXT = frozenset({"crop_kind", "parent_dataset"})  # columns of text also where no row has a value
PLAIN = frozenset({"BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR"})
_TYPES = {
    **dict.fromkeys(rows.REQUIRED, "VARCHAR"),
    **dict.fromkeys(("epoch", "parent_epoch", "from_epoch", "size"), "BIGINT"),
    "is_last": "BOOLEAN",
}
_ARROW = {"VARCHAR": "string", "BIGINT": "int64", "BOOLEAN": "bool"}
# A folder above the zoo may be called 'lr=0.1', which DuckDB would take for a column.
_READ = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
# Where a checkpoint lies follows from what it is. A path that does not could lead anywhere.
_EPOCH = "printf('/checkpoint_%06d', epoch)"
_POSSIBLE = f"ends_with(path, {_EPOCH}) AND regexp_full_match(sha256, '[0-9a-f]{{64}}') AND epoch >= 0 AND size >= 0"
_MEMBERS = f"SELECT DISTINCT stage, member, left(path, length(path) - length({_EPOCH})) FROM catalogue"

Meta = dict[str, Any]


def encode(found: list[rows.Row], meta: Meta) -> "tuple[pyarrow.Table, bytes]":
    """Return the rows as a table, and as the bytes of a Parquet file with ``meta`` in it."""
    import pyarrow
    import pyarrow.parquet

    columns = {name: _column(name, [row.get(name) for row in found]) for name in rows.columns(found)}
    table = pyarrow.table(columns).replace_schema_metadata({KEY: json.dumps({"version": VERSION, **meta})})
    buffer = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return table, buffer.getvalue().to_pybytes()


def decode(
    path: Path, mark: str | None = None, places: Collection[str] | None = None
) -> tuple[duckdb.DuckDBPyConnection, Meta] | None:
    """Open a stored catalogue as table ``catalogue``; ``None`` if it is not there or not what this program writes.

    Args:
        path: the file.
        mark: the fingerprint it must have; any, if not given.
        places: the members' directories, relative to the zoo; of others it must not speak. Any, if not given.
    """
    connection, name = database.connect(), _escape(path)
    try:
        with opened(path) as descriptor:
            if os.fstat(descriptor).st_size > MAX_FILE:
                return None
        meta = _meta(connection, name, path)
        if meta is None or mark not in (None, meta["fingerprint"]) or not _has_our_columns(connection, name):
            return None
        connection.execute(f"CREATE TABLE catalogue AS {_READ}", [name])
    except (duckdb.Error, IntegrityError):
        return None
    return (connection, meta) if _is_possible(connection, meta, places) else None


def _escape(path: Path) -> str:
    """Keep DuckDB from reading a path as a pattern, a home directory or an address."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path.absolute()))


def _meta(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> Meta | None:
    """Read what is said of the whole; ``None`` if it is not what ``encode`` was given, or too much to be read."""
    found = connection.execute("SELECT value FROM parquet_kv_metadata(?) WHERE key = ?", [name, KEY]).fetchone()
    meta = parse(bytes(found[0]), path) if found else None
    if not isinstance(meta, dict) or meta.get("version") != VERSION or not isinstance(meta.get("fingerprint"), str):
        return None
    count = connection.execute("SELECT num_rows FROM parquet_file_metadata(?)", [name]).fetchone()
    return meta if _is_summary(meta.get("summary"), count) else None


def _is_summary(summary: Any, count: tuple[int] | None) -> bool:
    """Say whether this sums up as many rows as the file says it has."""
    return (
        isinstance(summary, dict)
        and set(summary) == {"members", "checkpoints", "bytes", "unreadable", "unreadable_first"}
        and isinstance(summary["members"], dict)
        and all(type(summary[name]) is int for name in ("checkpoints", "bytes", "unreadable"))
        and all(type(number) is int for number in summary["members"].values())
        and isinstance(summary["unreadable_first"], list)
        and all(isinstance(text, str) for text in summary["unreadable_first"])
        and count == (summary["checkpoints"],)
        and summary["checkpoints"] <= MAX_ROWS
    )


def _has_our_columns(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    described = connection.execute(f"DESCRIBE {_READ}", [name]).fetchall()
    types = {column: kind for column, kind, *_ in described}
    return (
        len(types) <= rows.MAX_COLUMNS
        and all(METRIC_NAME.fullmatch(column) and kind.replace("[]", "") in PLAIN for column, kind in types.items())
        and all(types.get(column) == kind for column, kind in _TYPES.items())
    )


def _is_possible(connection: duckdb.DuckDBPyConnection, meta: Meta, places: Collection[str] | None) -> bool:
    """Say whether a tree could give these rows, and whether the members are among those that are there."""
    count = "SELECT count(*), count(*) FILTER (coalesce({}, false)) FROM catalogue"
    if connection.execute(count.format(_POSSIBLE)).fetchone() != (meta["summary"]["checkpoints"],) * 2:
        return False
    found = connection.execute(_MEMBERS).fetchall()
    return all(
        _is_place(stage, member, place) and (places is None or place in places) for stage, member, place in found
    )


def _is_place(stage: str | None, member: str | None, place: str) -> bool:
    """Say whether a member may have this directory, relative to the zoo."""
    first, *names = place.split("/")
    return (
        first == stage in STAGES
        and names[-1:] == [member]
        and len(names) == 1 + (stage == FINETUNING)
        and all(map(is_name, names))
    )


def _column(name: str, values: list[Any]) -> "pyarrow.Array":
    import pyarrow

    if name in _TYPES:
        return pyarrow.array(values, _ARROW[_TYPES[name]])
    try:
        array = pyarrow.array(values)
    except (pyarrow.ArrowException, OverflowError, TypeError, ValueError):
        array = None
    if array is None or not _is_plain(array.type):
        # Members of one zoo disagree on the type, or it is an object; as text the column stays readable.
        return pyarrow.array([value if value is None else json.dumps(value) for value in values], pyarrow.string())
    if pyarrow.types.is_null(array.type):
        return array.cast(pyarrow.string() if name in TEXT else pyarrow.float64())
    return array


def _is_plain(kind: "pyarrow.DataType") -> bool:
    import pyarrow

    inner = kind
    while pyarrow.types.is_list(inner):
        inner = inner.value_type
    known = (pyarrow.bool_(), pyarrow.int64(), pyarrow.float64(), pyarrow.string())
    return inner in known or pyarrow.types.is_null(kind)
