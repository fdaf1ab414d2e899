"""How numbers and cells of a table are written for people."""

import math
from collections.abc import Sequence

from vitzoo.analysis.tables.table import Cell, Column, Spread, Table

DASH = "–"  # unknown, or does not apply
SHOWN = 3  # of what was left out
SPREADS = "Cells are mean ± standard deviation of the sample (n)."


def cell(value: Cell, column: Column) -> str:
    """Write a cell; a spread as mean ± standard deviation (n), without the deviation if there is none.

    >>> cell(Spread(78.02, 5.49, 166), Column("Accuracy", "%"))
    '78.02 ± 5.49 (166)'
    >>> length, loss = Column("L2 distance", digits=None), Column("loss")
    >>> cell(Spread(3.2, 1.02, 46), length), cell(Spread(277.1, 324, 131), length)
    ('3.20 ± 1.02 (46)', '277 ± 324 (131)')
    >>> cell(Spread(0.5, None, 1), loss), cell(Spread(float("nan"), None, 0), loss), cell(12, loss)
    ('0.50 (1)', '– (0)', '12')
    """
    if isinstance(value, Spread):
        return f"{spread(value, column)} ({value.n})"
    if isinstance(value, float):
        return number(value, decimals(column, value))
    return DASH if value is None else str(value)


def spread(value: Spread, column: Column) -> str:
    """Write mean ± standard deviation, both with the same decimals."""
    if math.isnan(value.mean):
        return DASH
    places = decimals(column, value.mean, value.std or 0.0)
    mean = number(value.mean, places)
    return mean if value.std is None else f"{mean} ± {number(value.std, places)}"


def number(value: float, places: int) -> str:
    """Write a float with a true minus sign, never a negative zero; NaN is a dash.

    >>> number(-0.614, 2), number(-0.001, 2), number(float("nan"), 2)
    ('−0.61', '0.00', '–')
    """
    if math.isnan(value):
        return DASH
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "−")


def decimals(column: Column, *values: float) -> int:
    """Return the digits after the point: the column's, or those that give the largest value three significant ones."""
    if column.digits is not None:
        return column.digits
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 2 if largest == 0 else max(0, 2 - math.floor(math.log10(largest)))


def labels(table: Table) -> list[tuple[str, ...]]:
    """Return the labels of each row, blank where they repeat those above.

    >>> from vitzoo.analysis.tables.table import Row
    >>> rows = (Row(("head", "mlp"), ()), Row(("head", "linear"), ()), Row(("lr", "linear"), ()))
    >>> labels(Table("2", "", ("factor", "level"), (), rows))
    [('head', 'mlp'), ('', 'linear'), ('lr', 'linear')]
    """
    found, above = [], ()
    for row in table.rows:
        same = next((i for i, (a, b) in enumerate(zip(row.labels, above, strict=False)) if a != b), len(above))
        found.append(("",) * same + row.labels[same:])
        above = row.labels
    return found


def notes(table: Table) -> list[str]:
    """Return the notes, with how to read the cells and the first few of what was left out."""
    found = [SPREADS] if any(isinstance(cell, Spread) for row in table.rows for cell in row.cells) else []
    return [*found, *table.notes, *_left_out(table.left_out)]


def is_numeric(table: Table, position: int) -> bool:
    """Whether a column holds numbers, so that it aligns right."""
    return not any(isinstance(row.cells[position], str) for row in table.rows)


def _left_out(left_out: Sequence[str]) -> list[str]:
    if not left_out:
        return []
    more = len(left_out) - SHOWN
    names = "; ".join(left_out[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return [f"Left out, {len(left_out)} in all: {names}."]
