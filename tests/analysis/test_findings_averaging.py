"""The paper's claims of averages on planted effects, on their opposites, and on studies that lack what they need."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fake_averages import EPOCHS, LAST, make_averages
from scipy import stats

from vitzoo.analysis.findings import FAILS, HOLDS, UNTESTABLE
from vitzoo.analysis.findings.averaging import evaluate
from vitzoo.merging.study.averages import Averages

KEYS = ("mean", "best", "gap", "early", "late", "seed", "others")


@pytest.fixture(scope="module")
def a() -> Averages:
    return make_averages()


def by_key(a: Averages) -> dict:
    return {finding.key.removeprefix("averaging."): finding for finding in evaluate(a)}


def test_planted_effects_are_found(a: Averages) -> None:
    found = by_key(make_averages(backbones=10))
    assert tuple(found) == KEYS
    assert {key: one.verdict for key, one in found.items()} == dict.fromkeys(KEYS, HOLDS)
    assert found["mean"].value == pytest.approx(3, abs=0.1)
    assert found["best"].value == 100
    assert found["early"].value == pytest.approx(-2, abs=0.1) and f"The epoch is {LAST}," in found["early"].why
    assert found["late"].value == pytest.approx(1, abs=0.1) and f"The epoch is {EPOCHS}," in found["late"].why
    assert found["seed"].value == 50 and found["others"].value == 100
    for one in found.values():
        assert one.low <= one.value <= one.high + 1e-9 and one.backbones == 10


def test_opposites_are_refuted() -> None:
    found = by_key(make_averages(effect=-1.0))
    assert {key: one.verdict for key, one in found.items()} == dict.fromkeys(KEYS, FAILS)
    assert all("refutes it" in found[key].why for key in ("mean", "best", "gap", "early", "late"))


def test_noise_alone_shows_nothing() -> None:
    found = by_key(make_averages(effect=0.0, noise=0.02))
    assert all(found[key].verdict == FAILS for key in ("gap", "early", "late", "seed", "others", "best"))


def test_numbers_are_those_of_other_implementations(a: Averages) -> None:
    found, rows = by_key(a), a.members
    rank = stats.spearmanr(rows["average"] - rows["best"], rows["gap"]).statistic
    assert found["gap"].value == pytest.approx(rank)
    means = [100 * (own["average"] - own["mean"]).mean() for _, own in rows.groupby("parent_member")]
    interval = stats.ttest_1samp(means, 0).confidence_interval()
    assert (found["mean"].low, found["mean"].high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    wilson = stats.binomtest(5, 5).proportion_ci(method="wilson")
    assert found["best"].low == pytest.approx(100 * wilson.low)
    assert a.improving("adamw") == (20, 20)


def test_what_is_missing_is_said(a: Averages) -> None:
    cases = {
        "gap": (replace(a, members=a.members.assign(gap=np.nan)), "no generalisation gap"),
        "mean": (replace(a, members=a.members.iloc[:0]), "its last 3 checkpoints"),
        "early": (replace(a, windows=a.windows.iloc[:0]), "do not begin at two"),
        "late": (replace(a, windows=a.windows[a.windows["epoch"] <= LAST]), "do not begin at two"),
        "seed": (replace(a, soups=a.soups[a.soups["factor"] == "seed"]), "none over another factor"),
        "others": (replace(a, soups=a.soups[a.soups["factor"] == "seed"]), "other than the seed"),
    }
    for key, (lacking, why) in cases.items():
        one = by_key(lacking)[key]
        assert one.verdict == UNTESTABLE and why in one.why, key
    nothing = replace(a, soups=a.soups.iloc[:0], members=a.members.iloc[:0], windows=a.windows.iloc[:0])
    assert {one.verdict for one in evaluate(nothing)} == {UNTESTABLE}


def test_two_backbones_are_too_few() -> None:
    assert {one.verdict for one in evaluate(make_averages(backbones=2))} == {UNTESTABLE}


def test_members_with_other_epochs_do_not_move_means(a: Averages) -> None:
    """One member that lost a checkpoint, and one that was trained for longer, are not in means by epoch."""
    first, second = a.windows["member"].unique()[:2]
    lost = a.windows[(a.windows["member"] != first) | (a.windows["epoch"] != LAST)]
    longer = lost[(lost["member"] == second) & (lost["epoch"] == EPOCHS)].assign(epoch=EPOCHS + 1)
    broken = replace(a, windows=pd.concat([lost, longer], ignore_index=True))
    kept = a.windows[~a.windows["member"].isin([first, second])]
    assert broken.course()["plain"].tolist() == kept["plain"].tolist()
    assert len(a.course()) == len(a.windows)
    assert by_key(broken)["early"].members == by_key(a)["early"].members - 2
