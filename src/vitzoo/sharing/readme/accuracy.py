"""Test accuracy by generating factor, of rows as plain dicts; ``analysis.by_factor`` has more, from data frames.

This is written when a zoo has grown, where importing pandas would take longer than everything else.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitzoo.analysis.levels import FACTORS, text

Row = Mapping[str, Any]
MANY = 12  # levels above which a factor is left out, such as the seeds of a zoo that has one for each member


@dataclass(frozen=True)
class Level:
    """Test accuracies, as fractions, of the members at one level of a factor; ``std`` is None for one member."""

    factor: str
    level: str
    n: int
    mean: float
    std: float | None
    low: float
    high: float


def accuracies(rows: Sequence[Row]) -> tuple[Level, ...]:
    """Return all members first, then each level of every factor that varies but the backbone, which has its own table.

    ``rows`` are last checkpoints, each with a ``test_acc``.

    >>> [(l.factor, l.level, l.n) for l in accuracies([{"lr": lr, "test_acc": 0.5} for lr in (1e-3, 1e-3, 1e-2)])]
    [('all', '', 3), ('learning rate', '1e-3', 2), ('learning rate', '0.01', 1)]
    """
    if not rows:
        return ()
    found = [_level("all", "", rows)]
    for factor in FACTORS:
        levels = sorted({row[factor.column] for row in rows if _is_level(row.get(factor.column))}, key=_order)
        if 1 < len(levels) <= MANY:
            found += [
                _level(factor.label, text(level), [row for row in rows if row.get(factor.column) == level])
                for level in levels
            ]
    return tuple(found)


def _level(factor: str, level: str, rows: Sequence[Row]) -> Level:
    values = [row["test_acc"] for row in rows]
    std = statistics.stdev(values) if len(values) > 1 else None
    return Level(factor, level, len(values), statistics.fmean(values), std, min(values), max(values))


def _is_level(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _order(value: Any) -> tuple[bool, Any]:
    return (isinstance(value, str), value)
