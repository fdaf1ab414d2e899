"""Questions to the catalogue: a boolean SQL expression chooses rows, names choose and order columns."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

from vitzoo.errors import InputError, nearest
from vitzoo.zoo import database
from vitzoo.zoo.catalogue import Catalogue

if TYPE_CHECKING:
    import pandas

EXAMPLE = "\"optimizer = 'adamw' AND epoch > 3\""
_ORDER = re.compile(r"(-?)([A-Za-z_][A-Za-z0-9_]*)(?:\s+(asc|desc))?", re.IGNORECASE | re.ASCII)
_POSITION = "position in the frame"
_UNKNOWN = re.compile(r'Referenced (?:column|table) "([^"]+)"')


def rows(
    catalogue: Catalogue,
    where: str | None = None,
    columns: Sequence[str] | None = None,
    limit: int | None = None,
    order_by: str | None = None,
) -> list[dict[str, Any]]:
    """Return the chosen rows as dicts; InputError names the nearest column if one is unknown."""
    with _explained(catalogue.columns, where):
        relation = _relation(catalogue, where, columns, order_by)
        found = (relation if limit is None else relation.limit(limit)).fetchall()
        names = relation.columns  # asked for once: DuckDB makes the list anew each time
        return [dict(zip(names, row, strict=True)) for row in found]


def frame(
    catalogue: Catalogue,
    where: str | None = None,
    columns: Sequence[str] | None = None,
    order_by: str | None = None,
) -> "pandas.DataFrame":
    """Return the chosen rows as a pandas DataFrame."""
    with _explained(catalogue.columns, where):
        return _relation(catalogue, where, columns, order_by).df()


def count(catalogue: Catalogue, where: str | None = None) -> int:
    """Number of the chosen rows."""
    with _explained(catalogue.columns, where):
        relation = catalogue.connection.table("catalogue")
        return (relation.filter(where) if where else relation).aggregate("count(*)").fetchall()[0][0]


def matching(frame: "pandas.DataFrame", where: str) -> list[int]:
    """Return the positions of the rows of a DataFrame that fit a boolean SQL expression over its columns.

    >>> import pandas
    >>> matching(pandas.DataFrame({"lr": [0.1, 0.2, 0.3]}), "lr > 0.15")
    [1, 2]
    """
    import pyarrow

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    connection = database.connect()
    connection.from_arrow(table.append_column(_POSITION, pyarrow.array(range(len(frame))))).create("catalogue")
    database.lock(connection)
    with _explained(list(frame.columns), where):
        chosen = connection.table("catalogue").filter(where).order(f'"{_POSITION}"').project(f'"{_POSITION}"')
        return [row[0] for row in chosen.fetchall()]


def _relation(
    catalogue: Catalogue, where: str | None, columns: Sequence[str] | None, order_by: str | None
) -> duckdb.DuckDBPyRelation:
    relation = catalogue.connection.table("catalogue")
    if where:
        relation = relation.filter(where)  # DuckDB takes exactly one expression here: no clause, no second statement
    relation = relation.order(_order(catalogue, order_by))
    chosen = [_known(catalogue, name) for name in columns] if columns else catalogue.columns
    return relation.project(", ".join(f'"{name}"' for name in chosen))


def _order(catalogue: Catalogue, order_by: str | None) -> str:
    """Translate ``"test_acc desc, member"`` or ``"-test_acc"``; equal rows keep the catalogue's order."""
    terms = []
    for part in (order_by or "").split(","):
        if not part.strip():
            continue
        match = _ORDER.fullmatch(part.strip())
        if match is None:
            raise InputError(f"{part.strip()!r} is no order; write a column, with 'desc' for the largest first.")
        falling = bool(match[1]) or (match[3] or "").lower() == "desc"
        terms.append(f'"{_known(catalogue, match[2])}" {"DESC" if falling else "ASC"} NULLS LAST')
    return ", ".join([*terms, "stage = 'merging'", "stage DESC", "member", "epoch"])


def _known(catalogue: Catalogue, name: str) -> str:
    if name not in catalogue.columns:
        raise InputError(f"The catalogue has no column {name!r}.{nearest(name, catalogue.columns)}")
    return name


@contextmanager
def _explained(columns: Sequence[str], where: str | None) -> Iterator[None]:
    """Turn DuckDB's errors into one sentence for the person who wrote the condition."""
    try:
        yield
    except duckdb.Error as error:
        if match := _UNKNOWN.search(str(error)):
            hint = nearest(match[1], columns) or f" The columns are: {', '.join(columns)}."
            raise InputError(f"The catalogue has no column {match[1]!r}.{hint}") from None
        reason = str(error).split("\n", 1)[0]
        raise InputError(
            f"The condition {where!r} cannot be used: {reason}. Write one boolean expression over the columns, "
            f"such as {EXAMPLE}."
        ) from None
