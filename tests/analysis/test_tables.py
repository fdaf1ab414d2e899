"""The tables' numbers: against plain loops, against paper and pencil, by the identities that tie tables together."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
from fake_measurements import make_measurements
from tables_by_hand import (
    BLOCKS,
    FACTORS,
    PAPERS,
    cells,
    of,
    over,
    over_pairs,
    picked,
    pooled,
    records,
    same,
    stats,
    table,
    tiny,
    with_holes,
)

from vitzoo.analysis.levels import text
from vitzoo.analysis.tables import build
from vitzoo.analysis.tables.table import Spread
from vitzoo.measures.measurements import Measurements

WEIGHTS = {"Skewness": "skewness", "Kurtosis": "kurtosis", "L2 norm": "l2_norm"}
PERFORMANCE = {"Accuracy": "test_acc", "Gap (clean)": "gap", "Gap (online)": "gap_online"}
LABELS = {"parent_task": "pre-training task", "lr": "learning rate", "seed": "fine-tuning seed"}


@pytest.fixture(params=["fake", "holes"], scope="module")
def m(request: pytest.FixtureRequest) -> Measurements:
    return make_measurements() if request.param == "fake" else with_holes()


# Against plain loops


def test_table1_by_loops(m: Measurements) -> None:
    found = cells(table(m, "1"))
    assert list(found) == [("supervised",), ("contrastive",), ("supervised × contrastive",), ("all",)]
    for task in ("supervised", "contrastive", None):
        row = found[(task or "all",)]
        for name, column in WEIGHTS.items():
            same(row[name], over(m, "pretraining", column, lambda r, t=task: t in (None, r["task"])))
        children = over(m, "finetuning", "l2_distance", lambda r, t=task: t in (None, r["parent_task"]))
        same(row["L2 within cluster"], children)
    accuracy = over(m, "pretraining", "test_acc", lambda r: r["task"] == "supervised", 100)
    same(found[("supervised",)]["Accuracy"], accuracy)
    assert all(found[(name,)]["Accuracy"] is None for name in ("contrastive", "all", "supervised × contrastive"))


def test_table1_both_groupings_by_loops(m: Measurements) -> None:
    found = cells(table(m, "1"))
    rows = [(i, row["task"]) for i, row in enumerate(records(m)) if row["stage"] == "pretraining"]
    rows.sort(key=lambda row: row[1] != "supervised")  # the paper's order: supervised first
    first: dict[str, list[float]] = {"supervised": [], "contrastive": []}
    both: dict[frozenset[str], list[float]] = {}
    for (i, task), (j, other) in combinations(rows, 2):
        first[task].append(m.distances[i, j])
        both.setdefault(frozenset((task, other)), []).append(m.distances[i, j])
    for task, values in first.items():
        same(found[(task,)][PAPERS], stats(values))
        same(found[(task,)][BLOCKS], stats(both[frozenset((task,))]))
    same(found[("supervised × contrastive",)][BLOCKS], stats(both[frozenset(first)]))
    every = stats([value for values in first.values() for value in values])
    same(found[("all",)][PAPERS], every)
    same(found[("all",)][BLOCKS], every)


def test_table2_by_loops(m: Measurements) -> None:
    found = cells(table(m, "2"))
    everywhere = {
        (LABELS.get(factor, factor), level): (factor, level) for factor in FACTORS for level in seen(m, factor)
    }
    assert set(found) == {*everywhere, ("all", "")}
    for labels, (factor, level) in [*everywhere.items(), (("all", ""), ("stage", "finetuning"))]:
        row = found[labels]

        def fits(r: dict, factor: str = factor, level: str = level) -> bool:
            return text(r[factor]) == level

        for name, column in PERFORMANCE.items():
            same(row[name], over(m, "finetuning", column, fits, 100))
        for name, column in (*WEIGHTS.items(), ("L2 distance", "l2_distance")):
            same(row[name], over(m, "finetuning", column, fits))
        same(row["Agreement κ_aggr"], over_pairs(m, m.agreement, "finetuning", fits, 100))
        same(row["Cohen's κ"], over_pairs(m, m.kappa, "finetuning", fits))


def test_table2_in_the_papers_order() -> None:
    labels = [row.labels for row in table(make_measurements(), "2").rows]
    assert labels == [
        *(("pre-training task", "supervised"), ("pre-training task", "contrastive")),
        *(("head", "linear"), ("head", "mlp"), ("optimizer", "adamw"), ("optimizer", "sgd")),
        *(("learning rate", "3e-3"), ("learning rate", "1e-3"), ("learning rate", "1e-4")),
        *(("fine-tuning seed", "42"), ("fine-tuning seed", "6312"), ("all", "")),
    ]


def test_table6_by_loops(m: Measurements) -> None:
    made = table(m, "6")
    assert made.labels == ("pre-training task", "optimizer", "head", "learning rate")
    found = cells(made)
    factors = ("parent_task", "optimizer", "head", "lr")
    assert set(found) == set(product(*(seen(m, factor) for factor in factors)))
    for labels, row in found.items():

        def fits(r: dict, labels: tuple[str, ...] = labels) -> bool:
            return tuple(text(r[factor]) for factor in factors) == labels

        values = [r["test_acc"] for r in records(m) if r["stage"] == "finetuning" and fits(r)]
        known = [100 * value for value in values if value == value]
        assert row["Members"] == len(values)
        assert (row["Min"], row["Max"]) == pytest.approx((min(known), max(known)))
        same(row["Accuracy"], stats(known))
        same(row["Gap (clean)"], over(m, "finetuning", "gap", fits, 100))
        same(row["Agreement"], over_pairs(m, m.agreement, "finetuning", fits, 100))


def test_tables_7_and_8_by_loops(m: Measurements) -> None:
    for number, task in (("7", "supervised"), ("8", "contrastive")):
        made = table(m, number)
        assert made.labels == ("seed", "batch size")
        backbones = [r for r in records(m) if r["stage"] == "pretraining" and r["task"] == task]
        backbones.sort(key=lambda r: (r["batch_size"], r["seed"]))
        assert [row.labels for row in made.rows] == [(str(r["seed"]), str(r["batch_size"])) for r in backbones]
        for row, r in zip(made.rows, backbones, strict=True):
            assert row.cells == pytest.approx((100 * r["test_acc"], r["test_loss"]), nan_ok=True)


def seen(m: Measurements, factor: str) -> set[str]:
    return {text(row[factor]) for row in records(m) if row["stage"] == "finetuning"}


# By paper and pencil


def test_tiny_table1() -> None:
    found = cells(table(tiny(), "1"))
    same(found[("supervised",)]["Accuracy"], (62.5, 100 * 0.125 * 2**0.5, 2))  # 50 and 75 %
    same(found[("supervised",)]["L2 norm"], (25.0, 50**0.5, 2))
    same(found[("supervised",)]["L2 within cluster"], (7.5, 4.5**0.5, 2))  # 6 and 9
    same(found[("supervised",)][PAPERS], (16 / 3, (19 / 3) ** 0.5, 3))  # 8 among them; 3 and 5 to the contrastive one
    same(found[("supervised",)][BLOCKS], (8.0, None, 1))
    same(found[("contrastive",)]["L2 norm"], (10.0, None, 1))
    same(found[("contrastive",)][PAPERS], (float("nan"), None, 0))
    same(found[("supervised × contrastive",)][BLOCKS], (4.0, 2**0.5, 2))
    same(found[("all",)][BLOCKS], (16 / 3, (19 / 3) ** 0.5, 3))


def test_tiny_table2() -> None:
    found = cells(table(tiny(), "2"))
    assert list(found) == [
        *(("pre-training task", "supervised"), ("pre-training task", "contrastive")),
        *(("learning rate", "0.2"), ("learning rate", "0.1"), ("all", "")),
    ]
    row = found[("learning rate", "0.1")]
    same(row["Accuracy"], (55.0, 50**0.5, 2))  # 50 and 60 %
    same(row["Gap (clean)"], (0.5, 0.5**0.5, 2))
    same(row["Gap (online)"], (float("nan"), None, 0))  # was not recorded
    same(row["Agreement κ_aggr"], (50.0, None, 1))
    same(row["Cohen's κ"], (0.0, None, 1))
    same(found[("all", "")]["Agreement κ_aggr"], (60.0, 10.0, 3))
    same(found[("learning rate", "0.2")]["Agreement κ_aggr"], (float("nan"), None, 0))


def test_tiny_tables_6_7_8() -> None:
    found = cells(table(tiny(), "6"))
    assert list(found) == [("supervised", "0.2"), ("supervised", "0.1"), ("contrastive", "0.1")]
    first = found[("supervised", "0.2")]
    assert (first["Min"], first["Max"], first["Members"]) == (pytest.approx(70), pytest.approx(70), 1)
    same(first["Accuracy"], (70.0, None, 1))
    supervised = table(tiny(), "7")
    assert supervised.labels == ("lr", "seed", "batch size")
    assert [row.labels for row in supervised.rows] == [("0.1", "1", "8"), ("0.2", "2", "8")]
    assert [row.cells for row in table(tiny(), "8").rows] == [(25.0, 1.5)]


# Identities between tables


@pytest.mark.parametrize("column", ["Skewness", "Kurtosis", "L2 norm", "L2 within cluster"])
def test_all_is_the_mean_of_tasks_weighted_by_members(m: Measurements, column: str) -> None:
    found = cells(table(m, "1"))
    parts = [of(found[(task,)][column]) for task in ("supervised", "contrastive")]
    same(found[("all",)][column], pooled(parts))


def test_papers_grouping_pools_two_blocks(m: Measurements) -> None:
    found = cells(table(m, "1"))
    blocks = [of(found[(name,)][BLOCKS]) for name in ("supervised", "supervised × contrastive", "contrastive")]
    same(found[("supervised",)][PAPERS], pooled(blocks[:2]))
    same(found[("all",)][BLOCKS], pooled(blocks))
    assert of(found[("all",)][BLOCKS])[2] == sum(block[2] for block in blocks)


def test_the_papers_grouping_hides_how_close_supervised_members_are() -> None:
    found = cells(table(make_measurements(), "1"))
    mixed, clean = of(found[("supervised",)][PAPERS]), of(found[("supervised",)][BLOCKS])
    assert mixed[0] > 1.15 * clean[0]
    assert (mixed[1] or 0.0) > 4 * (clean[1] or 1.0)


@pytest.mark.parametrize("column", list(PERFORMANCE))
def test_every_factor_divides_all_members(m: Measurements, column: str) -> None:
    found = cells(table(m, "2"))
    for label in {labels[0] for labels in found} - {"all"}:
        same(found[("all", "")][column], pooled(of(row[column]) for labels, row in found.items() if labels[0] == label))


def test_table2_pools_the_cells_of_table6(m: Measurements) -> None:
    rows, grid = cells(table(m, "2")), cells(table(m, "6"))
    for place, factor in enumerate(("pre-training task", "optimizer", "head", "learning rate")):
        for level in {labels[place] for labels in grid}:
            for column in ("Accuracy", "Gap (clean)"):
                parts = [of(row[column]) for labels, row in grid.items() if labels[place] == level]
                same(rows[(factor, level)][column], pooled(parts))
    assert sum(row["Members"] for row in grid.values()) == len(m.finetuned())  # type: ignore[misc]


def test_numbers_of_pairs() -> None:
    m = make_measurements()
    rows, grid, one = cells(table(m, "2")), cells(table(m, "6")), cells(table(m, "1"))
    total = of(rows[("all", "")]["Agreement κ_aggr"])[2]
    assert total == comb(144, 2)
    tasks = [of(rows[("pre-training task", task)]["Agreement κ_aggr"])[2] for task in ("supervised", "contrastive")]
    assert sum(tasks) + 96 * 48 == total
    assert sum(of(row["Agreement"])[2] for row in grid.values()) == 12 * (comb(8, 2) + comb(4, 2))
    assert [of(row[BLOCKS])[2] for row in one.values()] == [comb(4, 2), comb(2, 2), 4 * 2, comb(6, 2)]


def test_within_cluster_is_the_l2_distance_of_table2(m: Measurements) -> None:
    first, second = cells(table(m, "1")), cells(table(m, "2"))
    for task in ("supervised", "contrastive"):
        same(first[(task,)]["L2 within cluster"], of(second[("pre-training task", task)]["L2 distance"]))


def test_planted_effects_show() -> None:
    found = cells(table(make_measurements(), "2"))
    mean = {labels: {name: of(cell)[0] for name, cell in row.items()} for labels, row in found.items()}
    adamw, sgd = mean[("optimizer", "adamw")], mean[("optimizer", "sgd")]
    assert adamw["Accuracy"] - sgd["Accuracy"] == pytest.approx(15, abs=0.3)
    assert adamw["L2 distance"] == pytest.approx(100 * sgd["L2 distance"])
    rates = [mean[("learning rate", lr)] for lr in ("1e-4", "1e-3", "3e-3")]
    assert rates[0]["Gap (clean)"] < rates[1]["Gap (clean)"] < rates[2]["Gap (clean)"]
    assert abs(mean[("head", "mlp")]["Accuracy"] - mean[("head", "linear")]["Accuracy"]) < 0.3


def test_order_of_members_does_not_matter() -> None:
    m = make_measurements()
    shuffled = picked(m, np.random.default_rng(2).permutation(len(m.members)))
    for one, other in zip(build(m), build(shuffled), strict=True):
        left, right = cells(one), cells(other)
        assert list(left) == list(right)
        for labels, row in left.items():
            for name, cell in row.items():
                if isinstance(cell, Spread):
                    same(right[labels][name], of(cell))
                else:
                    assert right[labels][name] == cell
