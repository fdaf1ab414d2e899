"""Findings on fake measurements: planted effects hold, without or against them they do not; effects by other means."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import fake_measurements
import numpy as np
import pytest
from scipy import stats

from vitzoo.analysis.factors import eta_squared
from vitzoo.analysis.findings import (
    FAILS,
    HOLDS,
    Finding,
    agreement,
    evaluate,
    learning_rate,
    marginal,
    optimizer,
    parent,
    task,
)
from vitzoo.measures.measurements import DataFrame, Measurements

Change = Callable[[DataFrame, np.random.Generator], dict[str, object]]


@pytest.fixture(scope="module")
def whole() -> Measurements:
    """Four supervised and three contrastive backbones: the fewest that tasks can be compared with, and one more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_measurements, "BACKBONES", (*fake_measurements.BACKBONES, ("contrastive", 6312, 96)))
        return fake_measurements.make_measurements()


@pytest.fixture(scope="module")
def findings(whole: Measurements) -> dict[str, Finding]:
    return by_key(whole)


def by_key(m: Measurements) -> dict[str, Finding]:
    return {finding.key: finding for finding in evaluate(m)}


def finding(m: Measurements, key: str) -> Finding:
    """Only its family is evaluated."""
    named = {"optimizer": (optimizer,), "lr": (learning_rate,), "marginal": (marginal,), "parent": (parent,)}
    families = named.get(key.split(".")[0], (task, agreement))
    return next(found for family in families for found in family.evaluate(m) if found.key == key)


def changed(m: Measurements, change: Change) -> Measurements:
    return replace(m, members=m.members.assign(**change(m.members, np.random.default_rng(1))))


PLANTED = (
    *("task.accuracy", "task.across_the_board", "task.gap", "task.agreement"),
    *("task.accuracy_spread.supervised", "task.accuracy_spread.contrastive"),
    *(
        "task.kurtosis_modes.before",
        "task.kurtosis_modes.after",
        "task.l2_norm_modes.before",
        "task.l2_norm_modes.after",
    ),
    *("parent.order_of_magnitude", "parent.nearest", "parent.task"),
    *("optimizer.accuracy", "optimizer.strength", "optimizer.clearer", "optimizer.distance"),
    *("optimizer.test_acc_modes", "optimizer.l2_norm_modes", "optimizer.l2_distance_modes"),
    *("lr.distance_order", "lr.distance_smooth", "lr.distance_gap", "lr.accuracy", "lr.gap", "lr.agreement", "lr.sgd"),
    *("marginal.head", "marginal.seed"),
)
NOT_PLANTED = (
    *("task.accuracy_modes", "task.skewness_modes.before", "task.skewness_modes.after", "task.agreement_spread"),
    *("optimizer.kurtosis_modes", "optimizer.accuracy_spread", "lr.gap_spread", "lr.accuracy_spread", "lr.adamw"),
)


def test_planted_effects_hold_and_no_others(findings: dict[str, Finding]) -> None:
    assert {key for key, found in findings.items() if found.verdict == HOLDS} == set(PLANTED)
    assert {key for key, found in findings.items() if found.verdict == FAILS} == set(NOT_PLANTED)


def contrastive(rows: DataFrame) -> DataFrame:
    return rows["task"].where(rows["stage"] == "pretraining", rows["parent_task"]) == "contrastive"


def against(rows: DataFrame, column: str, of: DataFrame, by: float) -> dict[str, object]:
    return {column: rows[column] + by * of}


def swapped_rates(rows: DataFrame) -> dict[str, object]:
    return {"lr": rows["lr"].where(rows["stage"] == "pretraining", rows["lr"].replace({3e-3: 1e-4, 1e-4: 3e-3}))}


# Findings that held, and a change of the members after which they must not.
REVERSED: dict[str, Change] = {
    "task.accuracy": lambda rows, _: against(rows, "test_acc", contrastive(rows), 0.12),
    "task.across_the_board": lambda rows, _: against(
        rows, "test_acc", contrastive(rows) & (rows["lr"] == 1e-4) & (rows["head"] == "mlp"), 0.12
    ),
    "task.gap": lambda rows, _: against(rows, "gap", contrastive(rows), -0.06),
    "task.accuracy_spread.supervised": lambda rows, random: {
        "test_acc": rows["test_acc"] + contrastive(rows) * random.normal(0, 0.3, len(rows))
    },
    "task.accuracy_spread.contrastive": lambda rows, random: {
        "test_acc": rows["test_acc"] + contrastive(rows) * random.normal(0, 0.3, len(rows))
    },
    "task.kurtosis_modes.before": lambda rows, random: {"kurtosis": random.normal(0, 1, len(rows))},
    "task.kurtosis_modes.after": lambda rows, random: {"kurtosis": random.normal(0, 1, len(rows))},
    "task.l2_norm_modes.before": lambda rows, random: {"l2_norm": random.normal(0, 1, len(rows))},
    "task.l2_norm_modes.after": lambda rows, random: {"l2_norm": random.normal(0, 1, len(rows))},
    "parent.order_of_magnitude": lambda rows, _: {"l2_distance": 5 * rows["l2_distance"]},
    "parent.task": lambda rows, _: {"l2_distance": rows["l2_distance"] / (1 + contrastive(rows))},
    "optimizer.accuracy": lambda rows, _: against(rows, "test_acc", rows["optimizer"] == "sgd", 0.3),
    "optimizer.strength": lambda rows, _: against(rows, "test_acc", rows["optimizer"] == "sgd", 0.14),
    "optimizer.clearer": lambda rows, _: against(rows, "test_acc", contrastive(rows), -0.2),
    "optimizer.test_acc_modes": lambda rows, _: against(rows, "test_acc", rows["optimizer"] == "sgd", 0.14),
    "optimizer.l2_norm_modes": lambda rows, random: {"l2_norm": random.normal(0, 1, len(rows))},
    "optimizer.l2_distance_modes": lambda rows, _: {
        "l2_distance": rows["l2_distance"] * np.where(rows["optimizer"] == "sgd", 100, 1)
    },
    "optimizer.distance": lambda rows, _: {
        "l2_distance": rows["l2_distance"] * np.where(rows["optimizer"] == "sgd", 50, 1)
    },
    "lr.distance_order": lambda rows, _: swapped_rates(rows),
    "lr.distance_smooth": lambda rows, _: {"l2_distance": rows["l2_distance"] * np.where(rows["lr"] == 3e-3, 8, 1)},
    "lr.distance_gap": lambda rows, _: {
        "l2_distance": rows["l2_distance"] * np.where(rows["optimizer"] == "sgd", 80, 1)
    },
    "lr.accuracy": lambda rows, _: against(rows, "test_acc", rows["lr"] == 3e-3, 0.1),
    "lr.gap": lambda rows, _: swapped_rates(rows),
    "lr.sgd": lambda rows, _: swapped_rates(rows),
    "marginal.head": lambda rows, _: against(rows, "test_acc", rows["head"] == "mlp", 0.05),
    "marginal.seed": lambda rows, _: against(rows, "test_acc", rows["seed"] == 42, 0.05),
}
# Findings that did not hold, and a change after which they must.
ADDED: dict[str, Change] = {
    "task.accuracy_modes": lambda rows, _: against(rows, "test_acc", contrastive(rows), -0.5),
    "task.skewness_modes.before": lambda rows, _: against(rows, "skewness", contrastive(rows), 1),
    "task.skewness_modes.after": lambda rows, _: against(rows, "skewness", contrastive(rows), -1),
    "optimizer.kurtosis_modes": lambda rows, _: against(rows, "kurtosis", rows["optimizer"] == "sgd", -9),
    "optimizer.accuracy_spread": lambda rows, random: {
        "test_acc": rows["test_acc"] + (rows["optimizer"] == "adamw") * random.normal(0, 0.3, len(rows))
    },
    "lr.gap_spread": lambda rows, random: {"gap": rows["gap"] + (rows["lr"] == 3e-3) * random.normal(0, 1, len(rows))},
    "lr.accuracy_spread": lambda rows, random: {
        "test_acc": rows["test_acc"] + (rows["lr"] == 1e-4) * random.normal(0, 1, len(rows))
    },
    "lr.adamw": lambda rows, _: swapped_rates(rows),
}


@pytest.mark.parametrize("key", REVERSED)
def test_reversed_effects_do_not_hold(whole: Measurements, key: str) -> None:
    assert finding(changed(whole, REVERSED[key]), key).verdict == FAILS


@pytest.mark.parametrize("key", ADDED)
def test_added_effects_hold(whole: Measurements, key: str) -> None:
    assert finding(changed(whole, ADDED[key]), key).verdict == HOLDS


def test_every_verdict_is_seen_both_ways(findings: dict[str, Finding]) -> None:
    """What is not in the two tables above has a test of its own below."""
    of_matrices = {"task.agreement", "task.agreement_spread", "parent.nearest", "lr.agreement"}
    assert {*REVERSED, *ADDED, *of_matrices} == set(findings)


def test_one_child_nearest_to_a_stranger_is_a_counterexample(whole: Measurements) -> None:
    distances = whole.distances.copy()
    child, stranger = whole.finetuned().index[0], whole.pretrained().index[-1]
    distances[child, stranger] = distances[stranger, child] = 1e-9
    found = finding(replace(whole, distances=distances), "parent.nearest")
    assert found.verdict == FAILS
    assert "167 of 168 are" in found.why
    assert found.value == pytest.approx(100 * (1 - 1 / 24 / 7))


def test_agreement_follows_the_matrix(whole: Measurements) -> None:
    """Contrastive children alike and all agreement at random, then contrastive agreement of a larger spread."""
    random = np.random.default_rng(0)
    rows = whole.members
    both = np.outer(contrastive(rows), contrastive(rows))
    noise = random.random(whole.agreement.shape) * (1 + 2 * both)
    noise = (noise + noise.T) / 2
    found = by_key(replace(whole, agreement=0.5 + 0.1 * noise + 0.1 * both))
    assert found["task.agreement"].verdict == FAILS
    assert "refutes" in found["task.agreement"].why
    assert found["task.agreement_spread"].verdict == HOLDS
    assert found["task.agreement_spread"].why.endswith("in 12 of 12 configurations.")
    assert found["lr.agreement"].verdict == FAILS


def rows_of(m: Measurements, **levels: object) -> DataFrame:
    rows = m.finetuned()
    for column, level in levels.items():
        rows = rows[rows[column] == level]
    return rows


def test_task_effect_is_welchs(whole: Measurements, findings: dict[str, Finding]) -> None:
    groups = [
        100 * rows_of(whole, parent_task=task).groupby("parent_member")["test_acc"].mean()
        for task in ("supervised", "contrastive")
    ]
    found, expected = findings["task.accuracy"], stats.ttest_ind(*groups, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.backbones, found.members) == (7, 168)


def test_optimizer_effect_is_paired(whole: Measurements, findings: dict[str, Finding]) -> None:
    adamw, sgd = (
        100 * rows_of(whole, optimizer=name).groupby("parent_member")["test_acc"].mean() for name in ("adamw", "sgd")
    )
    found, expected = findings["optimizer.accuracy"], stats.ttest_rel(adamw, sgd).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("key", "column"), [("optimizer.strength", "optimizer"), ("marginal.head", "head")])
def test_explained_variance(whole: Measurements, findings: dict[str, Finding], key: str, column: str) -> None:
    rows = whole.finetuned()
    assert findings[key].value == pytest.approx(eta_squared(rows["test_acc"], rows[column]))


def test_modes_are_the_mann_whitney_statistic(whole: Measurements, findings: dict[str, Finding]) -> None:
    first, second = (rows_of(whole, parent_task=task)["test_acc"] for task in ("supervised", "contrastive"))
    u = stats.mannwhitneyu(first, second).statistic
    assert findings["task.accuracy_modes"].value == pytest.approx(100 * u / len(first) / len(second))
    shares = [
        stats.mannwhitneyu(rows[rows["optimizer"] == "adamw"]["kurtosis"], rows[rows["optimizer"] == "sgd"]["kurtosis"])
        for _, rows in whole.finetuned().groupby("parent_member")
    ]
    expected = 100 * np.mean([share.statistic / 144 for share in shares])
    assert findings["optimizer.kurtosis_modes"].value == pytest.approx(expected)


def test_distances_by_hand(whole: Measurements, findings: dict[str, Finding]) -> None:
    between = [whole.distances[i, j] for i, j in combinations(whole.pretrained().index, 2)]
    within = whole.finetuned()["l2_distance"].mean()
    assert findings["parent.order_of_magnitude"].value == pytest.approx(np.mean(between) / within)
    # Planted: SGD moves a hundredth as far, contrastive children half as far again, 4, 4 + 6 log(10) / log(30) and 10.
    assert findings["optimizer.distance"].value == pytest.approx(100)
    assert findings["parent.task"].value == pytest.approx(1.5)
    middle = 4 + 6 * np.log(10) / np.log(30)
    steps = [np.log(middle / 4) / np.log(10), np.log(10 / middle) / np.log(3)]
    assert findings["lr.distance_smooth"].value == pytest.approx(max(steps))
    assert findings["lr.distance_gap"].value == pytest.approx(np.log10(middle / 4) - 2)


def test_agreement_by_hand(whole: Measurements, findings: dict[str, Finding]) -> None:
    rows = whole.finetuned()
    means = []
    for name in ("supervised", "contrastive"):
        chosen = rows[rows["parent_task"] == name]["parent_member"]
        values = [whole.agreement[i, j] for i, j in combinations(chosen.index, 2) if chosen.loc[i] != chosen.loc[j]]
        means.append(np.mean(values))
    assert findings["task.agreement"].value == pytest.approx(100 * (means[0] - means[1]))


def test_learning_rates_by_hand(whole: Measurements, findings: dict[str, Finding]) -> None:
    low, high = rows_of(whole, lr=1e-4), rows_of(whole, lr=3e-3)
    assert findings["lr.gap"].value == pytest.approx(100 * (high["gap"].mean() - low["gap"].mean()))
    assert findings["lr.gap_spread"].value == pytest.approx(low["gap"].std() / high["gap"].std())
    assert findings["lr.accuracy_spread"].value == pytest.approx(high["test_acc"].std() / low["test_acc"].std())
    means = whole.finetuned().groupby("lr")["test_acc"].mean()
    apart = rows_of(whole, optimizer="adamw")["test_acc"].mean() - rows_of(whole, optimizer="sgd")["test_acc"].mean()
    assert findings["lr.accuracy"].value == pytest.approx((means.max() - means.min()) / apart)


def test_members_that_are_missing_take_their_counterparts_along(whole: Measurements) -> None:
    """Without the SGD members of one backbone's low rates, unlike would be compared with unlike; cells are not."""
    rows = whole.members
    gone = (rows["optimizer"] == "sgd") & (rows["lr"] == 1e-4) & (rows["parent_member"] == "supervised-42-32")
    keep = np.flatnonzero(~gone)
    square = np.ix_(keep, keep)
    fewer = replace(
        whole,
        members=rows.iloc[keep].reset_index(drop=True),
        distances=whole.distances[square],
        agreement=whole.agreement[square],
    )
    found = by_key(fewer)
    assert found["optimizer.accuracy"].members == 168 - 8
    assert found["task.accuracy"].members == 168 - 4 * 7
    assert found["optimizer.distance"].value == pytest.approx(100)
    assert found["parent.task"].value == pytest.approx(1.5)


def test_findings_are_the_same_again_and_in_any_order_of_rows(whole: Measurements) -> None:
    assert evaluate(whole) == evaluate(whole)
    order = np.random.default_rng(0).permutation(len(whole.members))
    square = np.ix_(order, order)
    shuffled = replace(
        whole,
        members=whole.members.iloc[order].reset_index(drop=True),
        distances=whole.distances[square],
        agreement=whole.agreement[square],
    )
    for one, other in zip(evaluate(whole), evaluate(shuffled), strict=True):
        assert (one.key, one.verdict) == (other.key, other.verdict)
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
