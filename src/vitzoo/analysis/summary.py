"""What was measured, in one table: all members, or those of each level of any grouping."""

from collections.abc import Sequence

from vitzoo.analysis.levels import text
from vitzoo.analysis.tables import groups
from vitzoo.analysis.tables.table import Column, Row, Spread, Table
from vitzoo.errors import InputError, nearest
from vitzoo.measures.measurements import DataFrame, Measurements

#: Column of the rows, name in the table, unit, digits. Fractions are shown in percent.
_COLUMNS = (
    ("test_acc", "Accuracy", "%", 1),
    ("test_loss", "Loss", "", 3),
    ("gap", "Gap", "pp", 1),
    ("gap_online", "Gap online", "pp", 1),
    ("skewness", "Skewness", "", 3),
    ("kurtosis", "Kurtosis", "", 2),
    ("l2_norm", "L2 norm", "", None),
    ("l2_distance", "To parent", "", None),
)
_PAIRS = (("agreement", "Agreement", "%", 1), ("kappa", "κ", "%", 1), ("distances", "L2 between", "", None))


def summary(m: Measurements, by: Sequence[str] = ("stage",)) -> Table:
    """Return accuracy, loss, both gaps, agreement, κ, statistics of weights and distances of each group of members.

    ``by`` names columns of ``m.members``; each combination of their levels is a row. Spreads over members count
    members; agreement, κ and distances between are over pairs of members of the group that can be compared.
    InputError if there is no such column.
    """
    frame = m.members
    matrices = {"agreement": m.agreement, "kappa": m.kappa, "distances": m.distances}
    rows = []
    for labels, group in _groups(frame, by):
        pairs = [groups.spread(groups.pairs(matrices[name], group), _factor(unit)) for name, _, unit, _ in _PAIRS]
        rows.append(Row(labels, (len(group), *_spreads(group), *pairs)))
    columns = (Column("n"), *(Column(name, unit, digits) for _, name, unit, digits in (*_COLUMNS, *_PAIRS)))
    return Table("summary", f"{m.zoo}, measured", tuple(by), columns, tuple(rows), _notes(m.scope))


def by_epoch(frame: DataFrame, name: str, scope: str, by: Sequence[str] = ("stage",)) -> Table:
    """Return the mean course of training: a row for each group and epoch. InputError if there is no such column."""
    columns = (Column("n"), *(Column(title, unit, digits) for _, title, unit, digits in _COLUMNS))
    rows = [Row(labels, (len(group), *_spreads(group))) for labels, group in _groups(frame, [*by, "epoch"])]
    return Table("trajectories", f"{name}, by epoch", (*by, "epoch"), columns, tuple(rows), _notes(scope))


def _groups(frame: DataFrame, by: Sequence[str]) -> list[tuple[tuple[str, ...], DataFrame]]:
    for name in by:
        if name not in frame:
            raise InputError(f"There is no column {name!r} to group by.{nearest(name, frame.columns)}")
    grouped = frame.groupby(list(by), dropna=False, sort=True)
    return [(tuple("–" if key != key or key is None else text(key) for key in keys), group) for keys, group in grouped]


def _spreads(rows: DataFrame) -> list[Spread]:
    return [groups.of(rows, column, _factor(unit)) for column, _, unit, _ in _COLUMNS]


def _factor(unit: str) -> float:
    return groups.PERCENT if unit else 1.0


def _notes(scope: str) -> tuple[str, ...]:
    return (
        f"Skewness, excess kurtosis and L2 norm are of the weights in scope '{scope}', distances between backbones.",
        "Gap: training accuracy, evaluated without augmentation, minus test accuracy; online: as it ran in training.",
    )
