"""Levels and tables: against values computed by hand and against scipy's analysis of variance."""

import numpy as np
import pandas as pd
import pytest
from fake_zoo import make_row, make_table
from scipy import stats

from vitzoo.analysis.factors import by_factor, eta_squared, to_markdown
from vitzoo.analysis.levels import last_checkpoints, levels, text, varying
from vitzoo.errors import InputError


def by_hand() -> pd.DataFrame:
    """Four members, two of each optimizer: test accuracy .5 .7 and .2 .2, training accuracy .1 above the test's."""
    rows = [
        make_row("supervised", 42, 32, "linear", optimizer, 1e-3, seed) | {"epoch": 1, "is_last": True}
        for optimizer in ("sgd", "adamw")
        for seed in (1, 2)
    ]
    accuracies = pd.Series([0.2, 0.2, 0.5, 0.7])
    return pd.DataFrame(rows).assign(test_acc=accuracies, train_acc_clean=accuracies + 0.1)


def test_table_by_hand() -> None:
    table = by_factor(by_hand()).set_index(["factor", "level"])
    assert list(table.index) == [
        *(("optimizer", "adamw"), ("optimizer", "sgd")),
        *(("fine-tuning seed", "1"), ("fine-tuning seed", "2"), ("all", "")),
    ]
    adamw = table.loc[("optimizer", "adamw")]
    expected = {"n": 2, "acc_mean": 0.6, "acc_std": 0.02**0.5, "acc_min": 0.5, "acc_max": 0.7, "gap_mean": 0.1}
    assert adamw[list(expected)].to_dict() == pytest.approx(expected)
    assert adamw["gap_std"] == pytest.approx(0)
    # Mean .4: between (.2² + .2²)·2 = .16, total .01 + .09 + .04 + .04 = .18; by seed .05²·4 = .01.
    assert adamw["eta_squared"] == pytest.approx(0.16 / 0.18)
    assert table.loc[("fine-tuning seed", "1"), "eta_squared"] == pytest.approx(0.01 / 0.18)
    assert table.loc[("all", ""), "n"] == 4
    assert np.isnan(table.loc[("all", ""), "eta_squared"])


def test_markdown_by_hand() -> None:
    lines = to_markdown(by_factor(by_hand())).splitlines()
    assert lines[2] == "| **optimizer** | adamw | 2 | 60.0 ± 14.1 | 50.0 – 70.0 | 10.0 ± 0.0 | 0.89 |"
    assert lines[3] == "|  | sgd | 2 | 20.0 ± 0.0 | 20.0 – 20.0 | 10.0 ± 0.0 |  |"
    assert lines[-1] == "| **all** |  | 4 | 40.0 ± 24.5 | 20.0 – 70.0 | 10.0 ± 0.0 |  |"
    assert {line.count("|") for line in lines} == {8}


def test_markdown_without_gap_and_spread() -> None:
    one = by_hand().iloc[[3]].drop(columns="train_acc_clean")
    assert to_markdown(by_factor(one)).splitlines()[2:] == ["| **all** |  | 1 | 70.0 | 70.0 – 70.0 | – |  |"]
    negative = by_hand().assign(train_acc_clean=0.0)
    assert "| −40.0 ± 24.5 |" in to_markdown(by_factor(negative))
    nearly = one.assign(train_acc_clean=one["test_acc"] - 1e-5)
    assert "| 0.0 |" in to_markdown(by_factor(nearly))


@pytest.mark.parametrize("sizes", [(3, 3), (2, 5, 9), (1, 30)])
def test_eta_squared_agrees_with_scipy(sizes: tuple[int, ...]) -> None:
    """F = (η² / (k − 1)) / ((1 − η²) / (n − k))."""
    random = np.random.default_rng(len(sizes))
    samples = [random.normal(i, 1, size) for i, size in enumerate(sizes)]
    names = np.repeat([f"level {i}" for i in range(len(sizes))], sizes)
    share = eta_squared(pd.Series(np.concatenate(samples)), pd.Series(names))
    n, k = sum(sizes), len(sizes)
    f = (share / (k - 1)) / ((1 - share) / (n - k))
    assert f == pytest.approx(stats.f_oneway(*samples).statistic)


def test_eta_squared_ends() -> None:
    groups = pd.Series(["a", "a", "b", "b"])
    assert eta_squared(pd.Series([1.0, 3.0, 1.0, 3.0]), groups) == pytest.approx(0)
    assert eta_squared(pd.Series([1.0, 1.0, 2.0, 2.0]), groups) == pytest.approx(1)
    assert np.isnan(eta_squared(pd.Series([0.1] * 4), groups))
    assert np.isnan(eta_squared(pd.Series([], dtype=float), pd.Series([], dtype=str)))
    assert eta_squared(pd.Series([1.0, 1.0, 2.0, np.nan]), groups) == pytest.approx(1)


def test_shares_of_a_crossed_design_add_up() -> None:
    """Where the grid is complete and effects add, the shares of the factors sum to one."""
    table = make_table()
    table["test_acc"] = 0.5 + 0.1 * (table["optimizer"] == "adamw") + 10 * table["lr"]
    shares = by_factor(table).drop_duplicates("factor").set_index("factor")["eta_squared"]
    assert shares["optimizer"] + shares["learning rate"] == pytest.approx(1)
    assert shares["head"] == pytest.approx(0, abs=1e-12)


def test_levels_are_ordered_as_in_the_paper() -> None:
    rows = last_checkpoints(make_table())
    assert [factor.column for factor in varying(rows)] == [
        *("parent_task", "backbone", "optimizer", "lr", "head", "seed"),
    ]
    assert levels(rows, "parent_task") == ["supervised", "contrastive"]
    assert levels(rows, "lr") == [1e-4, 1e-3, 3e-3]
    assert levels(rows, "backbone") == [
        *("supervised, seed 42, batch 32", "supervised, seed 6312, batch 64", "contrastive, seed 42, batch 64"),
    ]


def test_backbones_alike_are_told_apart_by_digest() -> None:
    table = by_hand()
    table.loc[2:, ["parent_member", "parent_sha256"]] = ["other", "abcdef" + "0" * 58]
    names = levels(last_checkpoints(table), "backbone")
    assert len(names) == 2
    assert any("abcdef" in name or "000000" in name for name in names)


def test_only_finished_finetuned_last_checkpoints_count() -> None:
    table = make_table()
    n = len(last_checkpoints(table))
    assert n == 72
    members = table["member"].unique()
    table.loc[table["member"] == members[0], "status"] = "diverged"
    table.loc[table["member"] == members[1], "stage"] = "pretraining"
    table.loc[(table["member"] == members[2]) & table["is_last"], "test_acc"] = np.nan
    assert len(last_checkpoints(table)) == n - 3
    assert by_factor(table)["n"].iloc[-1] == n - 3


def test_nothing_to_count_is_an_error() -> None:
    table = by_hand()
    with pytest.raises(InputError, match="no finished fine-tuned member"):
        by_factor(table.assign(status="growing"))
    with pytest.raises(InputError, match="no finished fine-tuned member"):
        by_factor(table.drop(columns="test_acc"))
    with pytest.raises(InputError, match="last checkpoint"):
        by_factor(table.assign(is_last=False))


@pytest.fixture
def orphaned() -> pd.DataFrame:
    """The fake zoo, of whose first backbone nothing is known but its name and digest."""
    table = make_table()
    known = [name for name in table if name.startswith("parent_") and name not in ("parent_member", "parent_sha256")]
    table.loc[table["parent_member"] == "supervised-42-32", known] = None
    return table


def test_children_of_an_unreadable_backbone_have_levels(orphaned: pd.DataFrame) -> None:
    rows = last_checkpoints(orphaned)
    assert len(rows) == 72
    assert levels(rows, "parent_task") == ["supervised", "contrastive", "–"]
    assert levels(rows, "backbone") == ["supervised, seed 6312", "contrastive, seed 42", "–, 000000"]
    table = by_factor(orphaned).set_index(["factor", "level"])
    assert table.loc[("pre-training task", "–"), "n"] == 24
    sound = by_factor(orphaned[orphaned["parent_task"].notna()]).set_index(["factor", "level"])
    tasks = ("pre-training task", "supervised")  # who is of unknown task says nothing about tasks
    assert table.loc[tasks, "eta_squared"] == pytest.approx(sound.loc[tasks, "eta_squared"])


def test_a_zoo_whose_backbones_are_all_unreadable(orphaned: pd.DataFrame) -> None:
    known = [name for name in orphaned if name.startswith("parent_") and not name.endswith(("member", "sha256"))]
    for table in (orphaned.drop(columns=known), orphaned.assign(**dict.fromkeys(known))):
        rows = last_checkpoints(table)
        assert levels(rows, "parent_task") == ["–"]
        assert levels(rows, "backbone") == ["–, 000000", "–, 000000 (2)", "–, 000000 (3)"]
        assert [factor.column for factor in varying(rows)] == ["backbone", "optimizer", "lr", "head", "seed"]
    nameless = last_checkpoints(orphaned.assign(parent_member=None, parent_sha256=None))
    assert len(nameless) == 72 and nameless["backbone"].notna().all()


def test_backbones_never_share_a_name() -> None:
    """Three alike in all factors, two of them in the beginning of the digest, and one that is called as they are."""
    table = pd.concat([by_hand()] * 4, ignore_index=True)
    table["parent_member"] = np.repeat(["a", "b", "c", "d"], 4)
    table["parent_sha256"] = np.repeat(["0" * 64, "abcdef" + "0" * 58, "abcdef" + "1" * 58, "2" * 64], 4)
    table["parent_dataset"] = np.repeat(["x", "x", "x", "x, abcdef"], 4)
    rows = last_checkpoints(table)
    assert levels(rows, "backbone") == ["x", "x, abcdef", "x, abcdef (2)", "x, abcdef, 222222"]
    assert rows.groupby("backbone", observed=True)["parent_member"].nunique().tolist() == [1] * 4


def test_lists_for_factors_are_levels() -> None:
    """As a stranger's config may have them."""
    table = by_hand()
    table["parent_task"] = pd.Series([["x"]] * 4)
    table["optimizer"] = pd.Series([np.array(["a", "b"])] * 2 + ["sgd"] * 2)
    rows = last_checkpoints(table)
    assert levels(rows, "parent_task") == ["['x']"] and levels(rows, "optimizer") == ["['a' 'b']", "sgd"]


@pytest.mark.parametrize(
    ("level", "expected"),
    [(float("inf"), "inf"), (float("-inf"), "-inf"), (123456.0, "123456"), (1234567.5, "1.23457e6"), (True, "True")],
)
def test_levels_as_text(level: object, expected: str) -> None:
    assert text(level) == expected
