"""For tests of the tables: the same numbers from plain loops and ``statistics``, and what to build them from."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_measurements import make_measurements

from vitzoo.analysis.tables import build
from vitzoo.analysis.tables.table import Cell, Spread, Table
from vitzoo.measures.measurements import Measurements

Stats = tuple[float, float | None, int]
Fits = Callable[[dict[str, Any]], bool]
PAPERS, BLOCKS = "L2 between clusters, the paper's grouping", "L2 between clusters, by pair of tasks"
FACTORS = ("parent_task", "optimizer", "head", "lr", "seed")


def stats(values: Iterable[float], unit: float = 1.0) -> Stats:
    """Mean, sample deviation and number of the values that are not NaN."""
    known = [unit * float(value) for value in values if value == value]
    mean = statistics.fmean(known) if known else float("nan")
    return mean, statistics.stdev(known) if len(known) > 1 else None, len(known)


def over(m: Measurements, stage: str, column: str, fits: Fits, unit: float = 1.0) -> Stats:
    """Statistics of a column over the members of a stage that fit."""
    return stats((row[column] for row in records(m) if row["stage"] == stage and fits(row)), unit)


def over_pairs(m: Measurements, matrix: np.ndarray, stage: str, fits: Fits, unit: float = 1.0) -> Stats:
    """Statistics of a matrix over the pairs of members of a stage that fit."""
    chosen = [i for i, row in enumerate(records(m)) if row["stage"] == stage and fits(row)]
    return stats((matrix[i, j] for i, j in combinations(chosen, 2)), unit)


def pooled(parts: Iterable[Stats]) -> Stats:
    """Mean and deviation of a union of groups from those of the groups (law of total variance)."""
    groups = [(mean, std or 0.0, n) for mean, std, n in parts]
    total = sum(n for _, _, n in groups)
    mean = sum(n * mean for mean, _, n in groups) / total
    squares = sum((n - 1) * std**2 + n * (m - mean) ** 2 for m, std, n in groups)
    return mean, (squares / (total - 1)) ** 0.5, total


def records(m: Measurements) -> list[dict[str, Any]]:
    return m.members.to_dict("records")


def of(cell: Cell) -> Stats:
    assert isinstance(cell, Spread)
    return cell.mean, cell.std, cell.n


def same(cell: Cell, expected: Stats) -> None:
    """Hold a spread equal to statistics; an unknown deviation is None in both."""
    mean, std, n = of(cell)
    assert n == expected[2]
    assert mean == pytest.approx(expected[0], rel=1e-9, nan_ok=True)
    assert (std is None) == (expected[1] is None)
    if std is not None:
        assert std == pytest.approx(expected[1], rel=1e-6, abs=1e-12)


def table(m: Measurements, number: str) -> Table:
    """One table of the raw zoo."""
    (found,) = build(m, numbers=[number])
    assert found.number == number
    return found


def cells(table: Table) -> dict[tuple[str, ...], dict[str, Cell]]:
    """A table's cells by labels and by name of the column."""
    names = [column.name for column in table.columns]
    found = {row.labels: dict(zip(names, row.cells, strict=True)) for row in table.rows}
    assert len(found) == len(table.rows)
    return found


def chosen(m: Measurements, keep: Fits) -> Measurements:
    """Measurements of the members that fit."""
    where = np.array([i for i, row in enumerate(records(m)) if keep(row)], dtype=int)
    return picked(m, where)


def picked(m: Measurements, where: np.ndarray) -> Measurements:
    """Measurements of these members in this order."""
    square = np.ix_(where, where)
    return replace(
        m,
        members=m.members.iloc[where].reset_index(drop=True),
        distances=m.distances[square],
        agreement=m.agreement[square],
        kappa=m.kappa[square],
    )


def with_holes() -> Measurements:
    """The fake with numbers that are not known, members in another order, and factors that a stranger named."""
    m = make_measurements()
    random = np.random.default_rng(1)
    members = m.members.copy()
    for column in ("test_acc", "gap", "gap_online", "l2_distance", "kurtosis"):
        members.loc[random.choice(len(members), 11, replace=False), column] = np.nan
    members["head"] = members["head"].replace("mlp", "<b>|m&l_p")
    matrices = (m.distances.copy(), m.agreement.copy(), m.kappa.copy())
    for matrix in matrices:
        i, j = random.integers(0, len(members), (2, 900))
        matrix[i, j] = matrix[j, i] = np.nan
    m = Measurements("holes", members, *matrices, scope="backbone", left_out=m.left_out, notes=("A note.",))
    return picked(m, random.permutation(len(members)))


def tiny() -> Measurements:
    """Two supervised backbones and one contrastive, one child each, with numbers to be worked out on paper."""
    common: dict[str, Any] = {"optimizer": "adamw", "head": "linear", "batch_size": 8, "weight_decay": 0.0}
    common |= {"dataset": "digits", "epochs": 2}
    numbers = {"skewness": 0.0, "kurtosis": 1.0, "test_loss": 1.5, "gap_online": float("nan")}
    rows = []
    for place, (task, lr) in enumerate((("contrastive", 0.1), ("supervised", 0.1), ("supervised", 0.2))):
        base = {**common, **numbers, "lr": lr, "seed": place, "l2_norm": 10.0 * (place + 1)}
        rows.append(
            {**base, "stage": "pretraining", "task": task, "test_acc": 0.25 * (place + 1), "sha256": f"{place}"}
        )
    for place, (task, lr) in enumerate((("contrastive", 0.1), ("supervised", 0.1), ("supervised", 0.2))):
        base = {**common, **numbers, "lr": lr, "seed": 7, "l2_norm": 10.0 * (place + 1)}
        child = {"task": "supervised", "parent_task": task, "test_acc": 0.5 + 0.1 * place, "gap": 0.01 * place}
        rows.append({**base, "stage": "finetuning", **child, "l2_distance": 3.0 * (place + 1), "sha256": f"f{place}"})
    distances = np.array([[0.0, 3.0, 5.0], [3.0, 0.0, 8.0], [5.0, 8.0, 0.0]])
    wide = np.full((6, 6), np.nan)
    wide[:3, :3] = distances
    share = np.full((6, 6), np.nan)
    share[3:, 3:] = [[1.0, 0.5, 0.6], [0.5, 1.0, 0.7], [0.6, 0.7, 1.0]]
    members = pd.DataFrame(rows)
    members["gap"] = members["gap"].astype(float)
    return Measurements("tiny", members, wide, share, 2 * share - 1, "all")
