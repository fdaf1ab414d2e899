"""Tables that come with models: CSV, JSON or JSON lines, read into columns and rows without believing anything.

A JSON table is a list of objects, an object of objects (its keys name the models) or an object of equally long lists.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.importing.tables import values

ENDINGS = (".csv", ".json", ".jsonl")
MAX_FILE = 64_000_000
MAX_DOCUMENT = 16_000_000  # of one JSON document, which takes many times its size in memory
MAX_CELLS = 4_000_000
MAX_COLUMNS = 1_000
MAX_LINE = 200_000  # characters of a line, and of the JSON that a row becomes
MAX_TEXT = 10_000  # characters of a cell
KEY = "model"  # the column of an object's keys, or KEYS[1] if its rows have one of that name
KEYS = (KEY, "key", "vitzoo_key")
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Table:
    """Columns and rows of a file; ``places`` says where each row stands. Cells of a CSV file are text."""

    name: str
    columns: tuple[str, ...]
    cells: list[list[Any]]
    places: list[str]

    def __len__(self) -> int:
        return len(self.cells)

    def text(self, row: int, column: int) -> str:
        """Return a cell as text, as a name needs it: ``"007"`` stays that."""
        cell = self.cells[row][column]
        return cell if isinstance(cell, str) else "" if cell is None or isinstance(cell, dict | list) else str(cell)

    def value(self, row: int, column: int) -> Any:
        """Return what a cell says."""
        cell = self.cells[row][column]
        return values.of_text(cell) if isinstance(cell, str) else cell

    def row(self, row: int) -> dict[str, Any]:
        """Return what a row says, by column."""
        return {name: self.value(row, column) for column, name in enumerate(self.columns)}


def read(path: Path) -> Table:
    """Read a table; InputError says what is wrong with it and where."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path} is no table: its name ends in none of {', '.join(ENDINGS)}.")
    data = foreign_json.read_text(path, MAX_FILE)
    if path.suffix.lower() == ".csv":
        return _of_csv(path.name, data)
    if path.suffix.lower() == ".json":
        return _of_json(path.name, foreign_json.parse(data, path.name, MAX_DOCUMENT))
    lines = enumerate(data.splitlines(), 1)
    found = [(f"line {n}", foreign_json.parse(line, f"{path.name}, line {n}")) for n, line in lines if line.strip()]
    return _of_objects(path.name, found)


def _of_csv(name: str, data: bytes) -> Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not UTF-8 text: byte {error.start:,} cannot be decoded. Save it as UTF-8."
        ) from None
    delimiter = max(_DELIMITERS, key=text[: text.find("\n")].count)
    reader = csv.reader(_lines(name, text), delimiter=delimiter, strict=True)
    try:
        columns = _columns(name, next(reader, []))
        cells, places = [], []
        for row in reader:
            if any(row):
                cells.append(_fitted(name, reader.line_num, row, len(columns)))
                places.append(f"line {reader.line_num}")
                _check_cells(name, len(cells) * len(columns))
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: this is not CSV ({error}).") from None
    return Table(name, columns, cells, places)


def _lines(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), 1):
        if len(line) > MAX_LINE:
            raise InputError(f"{name}, line {number}, has more than {MAX_LINE:,} characters, which is not read.")
        yield line


def _fitted(name: str, line: int, row: list[str], columns: int) -> list[Any]:
    if len(row) > columns:
        raise InputError(f"{name}, line {line}, has {len(row)} cells under {columns} columns; quote cells with commas.")
    if any(len(cell) > MAX_TEXT for cell in row):
        raise InputError(f"{name}, line {line}, has a cell of more than {MAX_TEXT:,} characters, which is not read.")
    return [*row, *[None] * (columns - len(row))]


def _columns(name: str, header: Iterable[str]) -> tuple[str, ...]:
    """Check the names of columns; one without a name, such as a data frame's index, is called by its place."""
    columns = tuple(column.strip() or f"column_{number}" for number, column in enumerate(header, 1))
    if not columns:
        raise InputError(f"{name} has no columns; its first line names them.")
    if len(columns) > MAX_COLUMNS:
        raise InputError(f"{name} has {len(columns):,} columns; at most {MAX_COLUMNS:,} are read.")
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise InputError(
            f"{name} has the column {values.shown(twice)} twice; rename one, so that a cell has one meaning."
        )
    if any(len(column) > 256 for column in columns):
        raise InputError(f"{name} has a column whose name has more than 256 characters, which is not read.")
    return columns


def _of_json(name: str, value: Any) -> Table:
    if isinstance(value, list):
        return _of_objects(name, [(f"entry {number}", row) for number, row in enumerate(value, 1)])
    if not isinstance(value, dict):
        raise InputError(f"{name} is no table: it holds neither a list nor an object.")
    if value and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) > 1:
            raise InputError(f"{name} is no table: its lists are not equally long.")
        rows = zip(*value.values(), strict=True)
        found = [(f"entry {number}", dict(zip(value, row, strict=True))) for number, row in enumerate(rows, 1)]
        return _of_objects(name, found)
    if not all(isinstance(row, dict) for row in value.values()):
        raise InputError(f"{name} is no table: an object of objects, one per model, or of equally long lists is one.")
    key = next((key for key in KEYS if not any(key in row for row in value.values())), None)
    if key is None:
        raise InputError(f"{name} uses all of {', '.join(KEYS)} as columns, which leaves no name for its own keys.")
    return _of_objects(name, [(f"entry {values.shown(model)}", {key: model, **row}) for model, row in value.items()])


def _of_objects(name: str, rows: list[tuple[str, Any]]) -> Table:
    if odd := next((place for place, row in rows if not isinstance(row, dict)), None):
        raise InputError(f"{name}, {odd}: this is no object; a table has one per model.")
    columns: dict[str, None] = {}
    for _, row in rows:
        columns |= dict.fromkeys(row)
        if len(columns) > MAX_COLUMNS:
            break
    _check_cells(name, len(rows) * len(columns))
    header = _columns(name, columns)
    cells = [[row.get(column) for column in columns] for _, row in rows]
    for (place, _), row in zip(rows, cells, strict=True):
        if sum(len(str(cell)) for cell in row) > MAX_LINE:
            raise InputError(f"{name}, {place}, has more than {MAX_LINE:,} characters, which is not read.")
    return Table(name, header, cells, [place for place, _ in rows])


def _check_cells(name: str, cells: int) -> None:
    if cells > MAX_CELLS:
        raise InputError(f"{name} has more than {MAX_CELLS:,} cells, which is not read.")
