"""What cannot be tested says what is missing, and only that; the rest of the findings are not touched."""

import math
from collections.abc import Callable
from dataclasses import replace

import fake_measurements
import numpy as np
import pytest

from vitzoo.analysis.findings import FAILS, HOLDS, UNTESTABLE, Finding, evaluate, to_table
from vitzoo.analysis.tables.render import to_csv, to_html, to_json, to_latex, to_markdown
from vitzoo.measures.measurements import DataFrame, Measurements

OF_TASKS = {f.key for f in evaluate(fake_measurements.make_measurements()) if f.key.startswith("task.")} | {
    *("parent.task", "optimizer.clearer"),
}
LR = {"lr.distance_order", "lr.distance_smooth", "lr.distance_gap", "lr.accuracy", "lr.gap", "lr.gap_spread"} | {
    *("lr.accuracy_spread", "lr.agreement", "lr.adamw", "lr.sgd"),
}
OPTIMIZER = {f"optimizer.{name}_modes" for name in ("test_acc", "kurtosis", "l2_norm", "l2_distance")} | {
    f"optimizer.{name}" for name in ("accuracy", "strength", "clearer", "distance", "accuracy_spread")
}
DISTANCE = {"parent.task", "parent.order_of_magnitude", "optimizer.distance", "optimizer.l2_distance_modes"} | {
    *("lr.distance_order", "lr.distance_smooth", "lr.distance_gap"),
}
AGREEMENT = {"task.agreement", "task.agreement_spread", "lr.agreement"}
GRID = fake_measurements.GRID


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measurements]:
    monkeypatch.setattr(fake_measurements, "BACKBONES", (*fake_measurements.BACKBONES, ("contrastive", 6312, 96)))
    return fake_measurements.make_measurements


def only(m: Measurements, kept: DataFrame) -> Measurements:
    keep = np.flatnonzero(kept)
    square = np.ix_(keep, keep)
    return replace(
        m,
        members=m.members.iloc[keep].reset_index(drop=True),
        distances=m.distances[square],
        agreement=m.agreement[square],
        kappa=m.kappa[square],
    )


def untestable(m: Measurements) -> dict[str, Finding]:
    found = {finding.key: finding for finding in evaluate(m) if finding.verdict == UNTESTABLE}
    for finding in found.values():
        assert math.isnan(finding.value) and math.isnan(finding.low) and math.isnan(finding.high)
        assert (finding.backbones, finding.members) == (0, 0)
        assert finding.why.endswith(".")
    return found


def test_all_can_be_tested_in_a_whole_zoo(make: Callable) -> None:
    assert not untestable(make())


def test_too_few_contrastive_backbones(make: Callable) -> None:
    m = make()
    found = untestable(only(m, ~m.members["member"].str.startswith("contrastive-6312-96")))
    assert set(found) == OF_TASKS
    assert "there are 4 supervised and 2 contrastive ones" in found["task.accuracy"].why
    assert "there are 4 supervised and 2 contrastive ones" in found["task.kurtosis_modes.before"].why


def test_no_contrastive_backbones(make: Callable) -> None:
    m = make()
    found = untestable(only(m, ~m.members["member"].str.startswith("contrastive")))
    assert set(found) == OF_TASKS
    assert "there are 4 supervised and 0 contrastive ones" in found["optimizer.clearer"].why


def test_two_backbones_are_too_few_for_anything(make: Callable) -> None:
    m = make()
    found = untestable(only(m, m.members["member"].str.startswith("supervised-6312")))
    assert len(found) == len(evaluate(m))
    assert found["optimizer.accuracy"].why == "An interval takes at least 3 backbones in each group; there are 2."
    assert found["optimizer.test_acc_modes"].why.startswith("There are 2 backbones")


@pytest.mark.parametrize(
    ("grid", "missing", "why"),
    [
        (
            (GRID[0], ("adamw",), *GRID[2:]),
            OPTIMIZER | {"lr.sgd", "lr.accuracy", "lr.distance_gap"},
            "No fine-tuned member has optimizer sgd.",
        ),
        (
            (GRID[0], ("sgd",), *GRID[2:]),
            OPTIMIZER | {"lr.adamw", "lr.accuracy", "lr.distance_gap", "task.across_the_board"},
            "No fine-tuned member has optimizer adamw.",
        ),
        ((*GRID[:2], (1e-3,), GRID[3]), LR, "learning rates; the zoo has 1."),
        (
            (*GRID[:2], (1e-3, 1e-4), GRID[3]),
            {"lr.distance_order", "lr.distance_smooth"},
            "It takes at least 3 learning rates; the zoo has 2.",
        ),
        ((("linear",), *GRID[1:]), {"marginal.head"}, "All fine-tuned members have the same head."),
    ],
)
def test_a_factor_that_does_not_vary(make: Callable, grid: tuple, missing: set[str], why: str) -> None:
    found = untestable(make(grid))
    assert set(found) == missing
    assert all(finding.why.endswith(why) for finding in found.values())


def test_one_seed(make: Callable) -> None:
    found = untestable(make((*GRID[:3], (42,))))
    assert {key: finding.why for key, finding in found.items()} == {
        "marginal.seed": "All fine-tuned members have the same seed.",
        "task.agreement_spread": "There is no configuration of which every backbone has two members.",
    }


def test_one_child_per_backbone(make: Callable) -> None:
    m = make((("linear",), ("adamw",), (1e-3,), (42,)))
    found = untestable(m)
    assert OPTIMIZER | LR | {"marginal.head", "marginal.seed", "task.agreement_spread"} == set(found)
    tested = {finding.key: finding for finding in evaluate(m)}
    assert tested["task.accuracy"].verdict == HOLDS
    assert tested["task.accuracy"].members == 7


UNKNOWN: list[tuple[str, set[str], str]] = [
    ("gap", {"task.gap", "lr.gap", "lr.gap_spread"}, "gap"),
    ("l2_distance", DISTANCE, "L2 distance"),
    ("kurtosis", {"task.kurtosis_modes.after", "task.kurtosis_modes.before", "optimizer.kurtosis_modes"}, "kurtosis"),
]


@pytest.mark.parametrize(("column", "missing", "name"), UNKNOWN)
def test_a_column_that_is_not_known(make: Callable, column: str, missing: set[str], name: str) -> None:
    m = make()
    found = untestable(replace(m, members=m.members.assign(**{column: float("nan")})))
    assert set(found) == missing
    assert all(name in found[key].why for key in missing)


def test_a_column_that_is_not_known_of_some(make: Callable) -> None:
    """Members without a gap take those along that they would be compared with."""
    m = make()
    gap = m.members["gap"].where(m.members["lr"] != 1e-3)
    found = {finding.key: finding for finding in evaluate(replace(m, members=m.members.assign(gap=gap)))}
    assert found["task.gap"].members == 112
    assert found["lr.gap"].verdict == HOLDS


def test_matrices_that_are_not_known(make: Callable) -> None:
    m = make()
    nothing = np.full_like(m.agreement, np.nan)
    assert set(untestable(replace(m, agreement=nothing))) == AGREEMENT
    assert set(untestable(replace(m, distances=nothing))) == {"parent.order_of_magnitude", "parent.nearest"}


def test_parents_that_were_left_out(make: Callable) -> None:
    m = make()
    found = untestable(only(m, m.members["stage"] == "finetuning"))
    assert {key for key in found if key.startswith("parent.")} == {"parent.order_of_magnitude", "parent.nearest"}
    assert "No fine-tuned member's parent" in found["parent.nearest"].why
    assert "task.kurtosis_modes.before" in found


def test_members_of_another_shape_do_not_count(make: Callable) -> None:
    m = make()
    other = m.members["member"].str.startswith("supervised-42-32").to_numpy()
    distances = np.where(other[:, None] == other[None], m.distances, np.nan)
    found = {finding.key: finding for finding in evaluate(replace(m, distances=distances))}
    assert found["parent.nearest"].verdict == HOLDS
    assert found["parent.nearest"].members == 24 * 6


@pytest.mark.parametrize("stage", ["pretraining", "none"])
def test_nothing_fine_tuned_and_nothing_at_all(make: Callable, stage: str) -> None:
    m = make()
    m = only(m, m.members["stage"] == stage)
    found = {finding.key: finding for finding in evaluate(m)}
    tested = {key for key, finding in found.items() if finding.verdict != UNTESTABLE}
    assert tested == ({key for key in found if key.endswith(".before")} if stage == "pretraining" else set())
    assert found["task.accuracy"].why == "The zoo has no fine-tuned members."


def test_a_constant_does_not_divide_by_zero(make: Callable) -> None:
    m = make()
    found = untestable(replace(m, members=m.members.assign(test_acc=0.5, l2_distance=0.0, gap=0.0, kurtosis=1.0)))
    assert "optimizer.strength" in found
    assert "lr.distance_smooth" in found
    assert "lr.accuracy" in found
    assert "lr.gap" not in found


def test_table_has_all_findings_and_exact_numbers(make: Callable) -> None:
    m = make((("linear",), *GRID[1:]))
    findings = evaluate(m)
    table = to_table(findings, [str(out) for out in m.left_out])
    assert [row.labels[0] for row in table.rows] == [finding.statement for finding in findings]
    data = to_json(table)
    assert data["left_out"] == ["ft_linear_seed7-00000000: its training diverged after epoch 2 of 5"]
    columns = [column["name"] for column in data["columns"]]
    for row, finding in zip(data["rows"], findings, strict=True):
        cells = dict(zip(columns, row["cells"], strict=True))
        assert cells["Verdict"] == finding.verdict
        assert cells["Value"] == (None if finding.verdict == UNTESTABLE else finding.value)
        assert cells["Why"] == finding.why
    for render in (to_markdown, to_csv, to_latex, to_html):
        assert "cannot be tested" in render(table)


def test_names_from_strangers_are_escaped(make: Callable) -> None:
    """A level of a factor that no member of a cell has is named in a reason, and reasons are text."""
    m = make()
    rows = m.members.assign(head=m.members["head"].replace("mlp", "<b>|x"))
    page = to_html(to_table(evaluate(replace(m, members=rows))))
    assert "<b>" not in page


def test_findings_are_whole_sentences_with_unique_keys(make: Callable) -> None:
    findings = evaluate(make())
    assert len({finding.key for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.verdict in (HOLDS, FAILS)
        assert finding.statement.endswith(".") and finding.why.endswith(".")
        assert finding.source and finding.paper and finding.effect
        assert finding.low <= finding.value <= finding.high
        assert type(finding.value) is float
