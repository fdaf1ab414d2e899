"""Accuracies as shares: a column of a table may give them in per cent, and only the whole column tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vitzoo.sharing.importing.tables.values import number


@dataclass(frozen=True)
class Shares:
    """Accuracies in [0, 1], ``None`` where there is none, and whether they were given in per cent."""

    values: list[float | None]
    percent: bool


def of_column(cells: Sequence[Any]) -> Shares | None:
    """Read a column of accuracies; ``None`` if it can be neither shares nor percentages.

    Numbers all at most 1 are shares; one above 1 makes the column percentages. A cell such as ``85.3%`` says it itself.

    >>> of_column([0.5, 1, None])
    Shares(values=[0.5, 1, None], percent=False)
    >>> of_column([0.5, 85.0, "1.0%"])
    Shares(values=[0.005, 0.85, 0.01], percent=True)
    >>> of_column([-1, 0.5]) or of_column([101.0]) or of_column(["high"])
    """
    marked = [isinstance(cell, str) and cell.strip().endswith("%") for cell in cells]
    numbers = [_marked(cell) if mark else number(cell) for cell, mark in zip(cells, marked, strict=True)]
    known = [value for value in numbers if value is not None]
    if any(cell is not None and value is None for cell, value in zip(cells, numbers, strict=True)):
        return None
    if not all(0 <= value <= 100 for value in known):
        return None
    percent = any(value > 1 for value, mark in zip(numbers, marked, strict=True) if value is not None and not mark)
    shares = [
        value / 100 if value is not None and (percent or mark) else value
        for value, mark in zip(numbers, marked, strict=True)
    ]
    return Shares(shares, percent)


def _marked(cell: str) -> float | None:
    try:
        return number(float(cell.strip()[:-1]))
    except ValueError:
        return None
