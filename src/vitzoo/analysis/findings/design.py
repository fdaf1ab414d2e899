"""What is compared with what: children of backbones, in cells of the same fine-tuning configuration.

A factor that is crossed with the backbone is compared within each backbone, between members that differ in it alone;
pre-training tasks are compared over the configurations that all backbones have. So a zoo from which members are left
out, or refined ones chosen by accuracy, does not compare unlike with unlike.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from vitzoo.analysis.findings.finding import Untestable
from vitzoo.analysis.findings.intervals import FEWEST, Interval, jackknife
from vitzoo.analysis.levels import FACTORS, levels, text
from vitzoo.measures.measurements import DataFrame, Measurements

if TYPE_CHECKING:
    import numpy as np

Groups: TypeAlias = tuple[list[str], list[str]]  # names of the supervised and of the contrastive backbones

SUPERVISED, CONTRASTIVE = "supervised", "contrastive"
ADAMW, SGD = "adamw", "sgd"
#: What makes the configuration of a fine-tuned member. Members alike in all of it are averaged.
CONFIGURATION = tuple(factor.column for factor in FACTORS if not factor.of_parent)


def children(m: Measurements) -> DataFrame:
    """Return the fine-tuned members, indexed as in the matrices; Untestable if there are none."""
    rows = m.finetuned()
    if rows.empty:
        raise Untestable("The zoo has no fine-tuned members.")
    return rows


def cells(rows: DataFrame, factors: Mapping[str, Sequence[Any]], column: str) -> DataFrame:
    """Return ``column`` of members that differ in ``factors`` alone: one row per cell, one column per level.

    The index is (parent_member, the rest of the configuration); there are as many column levels as factors. Kept are
    the cells in which all levels are known. Untestable if a level does not occur, or if no cell has all of them.
    """
    import pandas as pd

    for factor, wanted in factors.items():
        rows = pd.concat([having(rows, factor, level) for level in wanted])
    rest = [name for name in CONFIGURATION if name in rows and name not in factors]
    found = _pivot(rows, ["parent_member", *rest], [*factors], column)
    if found.empty:
        raise Untestable(
            f"No members with a known {_name(column)} differ in {' and '.join(factors)} alone and have all its levels."
        )
    return found


def having(rows: DataFrame, factor: str, level: Any) -> DataFrame:
    """Return the rows with a level of a factor; Untestable if there are none."""
    found = rows[rows[factor] == level]
    if found.empty:
        raise Untestable(f"No fine-tuned member has {factor} {text(level)}.")
    return found


def known(rows: DataFrame, column: str) -> DataFrame:
    """Return the rows in which ``column`` is known; Untestable if it is known in none."""
    found = rows[rows[column].notna()]
    if found.empty:
        raise Untestable(f"The {_name(column)} is not known of any of the {len(rows)} members concerned.")
    return found


def by_task(rows: DataFrame, column: str) -> tuple[Groups, DataFrame]:
    """Return the supervised and the contrastive backbones, and ``column`` of their children, as far as comparable.

    The table has one row per configuration that all these backbones have, and one column per backbone. Untestable
    if ``column`` is not known, with fewer than three backbones of either task, or if they share no configuration.
    """
    rows = known(rows, column)
    rows = rows[rows["parent_task"].isin([SUPERVISED, CONTRASTIVE])]
    groups = tasks(rows)
    table = _pivot(rows, [name for name in CONFIGURATION if name in rows], ["parent_member"], column)
    if table.empty:
        raise Untestable(f"There is no configuration of which the {_name(column)} is known for every backbone.")
    return groups, table


def of_backbones(table: DataFrame, kept: Sequence[str]) -> DataFrame:
    """Return the rows of ``cells`` that belong to some backbones."""
    return table[table.index.get_level_values("parent_member").isin(list(kept))]


def backbones(table: DataFrame) -> list[str]:
    """Return the names of the backbones in the rows of ``cells``, in order."""
    return sorted(table.index.get_level_values("parent_member").unique())


def tasks(rows: DataFrame, member: str = "parent_member", task: str = "parent_task") -> Groups:
    """Return the names of the supervised and of the contrastive backbones; Untestable with fewer than three of either.

    ``member`` and ``task`` are the columns that name backbone and task: by default those of children.
    """
    groups = [sorted(rows[rows[task] == name][member].unique()) for name in (SUPERVISED, CONTRASTIVE)]
    if min(map(len, groups)) < FEWEST:
        raise Untestable(
            f"A comparison of tasks takes at least {FEWEST} backbones of each; "
            f"there are {len(groups[0])} supervised and {len(groups[1])} contrastive ones."
        )
    return groups[0], groups[1]


def learning_rates(rows: DataFrame, at_least: int = 2) -> list[float]:
    """Return the learning rates of the children, in order; Untestable if there are fewer than ``at_least``."""
    found = levels(rows, "lr")
    if len(found) < at_least:
        raise Untestable(f"It takes at least {at_least} learning rates; the zoo has {len(found)}.")
    return found


def superiority(above: "np.ndarray", below: "np.ndarray") -> float:
    """Return the share of pairs in which a value of the first sample is above one of the second; ties count half.

    >>> import numpy as np
    >>> superiority(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    0.875
    """
    difference = above[:, None] - below[None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def log_ratio(above: float, below: float) -> float:
    """Return the logarithm of a ratio of lengths or spreads; NaN if one of them is not positive."""
    return math.log(above / below) if above > 0 and below > 0 else float("nan")


def spread_ratio(table: DataFrame, one: Any, other: Any) -> Interval:
    """Return the ratio of two columns' standard deviations over all cells of all backbones, as in Table 2."""

    def ratio(kept: list[str]) -> float:
        spreads = of_backbones(table, kept).std(ddof=1)
        return log_ratio(spreads[one], spreads[other])

    return jackknife(ratio, backbones(table)).map(math.exp)


def _pivot(rows: DataFrame, index: list[str], columns: list[str], column: str) -> DataFrame:
    found = rows.groupby([*index, *columns], dropna=False)[column].mean().unstack(columns)
    return found.dropna()


def _name(column: str) -> str:
    return {"test_acc": "test accuracy", "l2_norm": "L2 norm", "l2_distance": "L2 distance"}.get(column, column)
