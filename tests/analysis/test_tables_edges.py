"""Tables of refined zoos and of unusual ones: what is not there, what differs, what is refused."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest
from fake_measurements import make_measurements
from tables_by_hand import BLOCKS, PAPERS, cells, chosen, of, pooled, same, table, with_holes

from vitzoo.analysis.tables import NUMBERS, build
from vitzoo.analysis.tables.table import Column, Row, Table
from vitzoo.errors import InputError

# Refined


def test_refined() -> None:
    m = make_measurements()
    where = "test_acc > 0.65"
    made = build(m, where)
    assert [one.stem for one in made] == [
        *("table1", "table1-refined", "table2", "table2-refined", "table6", "table7", "table8")
    ]
    kept = chosen(m, lambda r: r["stage"] == "pretraining" or r["test_acc"] > 0.65)
    count = len(kept.finetuned())
    assert 0 < count < 144
    for refined, raw in ((made[1], table(kept, "1")), (made[3], table(kept, "2"))):
        assert refined.rows == raw.rows
        assert refined.title.endswith(", refined")
        assert refined.notes[0] == (
            f"Refined by {where}: {count} of 144 fine-tuned members kept, {100 * count / 144:.1f} %."
        )
    assert made[0].rows == table(m, "1").rows
    within = [of(cells(one)[("all",)]["L2 within cluster"])[2] for one in made[:2]]
    assert within == [144, count]


def test_refined_to_nothing() -> None:
    made = build(make_measurements(), "test_acc > 2", ["1", "2"])
    assert made[1].notes[0] == "Refined by test_acc > 2: 0 of 144 fine-tuned members kept, 0.0 %."
    same(cells(made[1])[("all",)]["L2 within cluster"], (float("nan"), None, 0))
    assert made[3].rows == ()


def test_refused() -> None:
    m = make_measurements()
    with pytest.raises(InputError, match="'3' is no table"):
        build(m, numbers=["1", "3"])
    with pytest.raises(InputError, match="Only Tables 1 and 2"):
        build(m, "test_acc > 0.65", ["6"])
    with pytest.raises(InputError, match=r"no column 'tset_acc'\. Did you mean 'test_acc'"):
        build(m, "tset_acc > 0.65")
    for none in (chosen(m, lambda r: r["stage"] == "pretraining"), chosen(m, lambda r: False)):
        with pytest.raises(InputError, match="no finished fine-tuned member"):
            build(none)
    with pytest.raises(InputError, match="no finished fine-tuned member"):
        build(replace(m, members=type(m.members)()))


# Edge cases


def test_tables_come_once_and_in_order() -> None:
    assert [one.number for one in build(make_measurements(), numbers=["8", "2", "2"])] == ["2", "8"]
    assert tuple(one.number for one in build(make_measurements())) == NUMBERS


def test_no_contrastive_backbone() -> None:
    m = chosen(make_measurements(), lambda r: "contrastive" not in (r["task"], r.get("parent_task")))
    made = {one.number: one for one in build(m)}
    assert made["8"].rows == ()
    assert made["8"].notes == ("The zoo has no finished contrastive backbone, so there are no rows.",)
    assert list(cells(made["1"])) == [("supervised",), ("all",)]
    assert cells(made["1"])[("supervised",)][PAPERS] == cells(made["1"])[("all",)][PAPERS]
    assert "pre-training task" not in {labels[0] for labels in cells(made["2"])}
    assert made["6"].labels == ("optimizer", "head", "learning rate")


def test_no_pretrained_member() -> None:
    made = {one.number: one for one in build(chosen(make_measurements(), lambda r: r["stage"] == "finetuning"))}
    assert [len(made[number].rows) for number in ("1", "7", "8")] == [0, 0, 0]
    assert made["1"].notes[0] == "The zoo has no finished pre-trained member, so there are no rows."
    assert made["7"].notes[0] == "The zoo has no finished supervised backbone, so there are no rows."
    assert len(made["6"].rows) == 24


def test_one_member_in_each_cell() -> None:
    m = chosen(make_measurements(), lambda r: r["stage"] == "pretraining" or r["seed"] == 42)
    m = chosen(m, lambda r: r["stage"] == "pretraining" or r["parent_member"].endswith(("-42-32", "-42-96")))
    for row in table(m, "6").rows:
        accuracy, gap, agreement = row.cells[2:5]
        assert of(accuracy)[1:] == (None, 1)
        assert of(gap)[1:] == (None, 1)
        same(agreement, (float("nan"), None, 0))
    assert "fine-tuning seed" not in {row.labels[0] for row in table(m, "2").rows}


def test_only_one_factor_varies() -> None:
    m = make_measurements((("linear",), ("adamw",), (1e-3,), (42, 6312)))
    m = chosen(m, lambda r: "contrastive" not in (r["task"], r.get("parent_task")))
    assert [row.labels for row in table(m, "2").rows] == [
        *(("fine-tuning seed", "42"), ("fine-tuning seed", "6312"), ("all", ""))
    ]
    grid = table(m, "6")
    assert grid.labels == ("configuration",)
    assert [(row.labels, row.cells[-1]) for row in grid.rows] == [(("all",), 8)]


def test_other_factors_have_rows_and_columns() -> None:
    m = make_measurements()
    members = m.members.copy()
    members["momentum"] = np.where(members["optimizer"] == "sgd", 0.9, 0.0)  # follows from the optimizer: no factor
    members["clip"] = np.where(members["seed"] == 42, 1.0, np.nan)  # with the seed, but Table 6 must not average it
    members["head_hidden"] = np.where(members["head"] == "mlp", 8, np.nan)
    members["depth"] = np.where(members.index % 2, 2, 3)
    m = replace(m, members=members)
    labels = [row.labels for row in table(m, "2").rows]
    assert [row for row in labels if row[0] == "clip"] == [("clip", "1"), ("clip", "–")]
    assert not {"momentum", "depth", "head hidden"} & {row[0] for row in labels}
    assert table(m, "6").labels == ("pre-training task", "optimizer", "head", "learning rate", "clip")
    assert table(m, "7").labels == ("depth", "seed", "batch size")


def test_backbones_that_differ_in_nothing_known_show_their_weights() -> None:
    m = make_measurements()
    members = m.members.assign(batch_size=32, seed=42, sha256=[f"{i:06x}" + 58 * "0" for i in range(len(m.members))])
    made = table(replace(m, members=members), "7")
    assert made.labels == ("seed", "batch size", "weights")
    assert [row.labels for row in made.rows] == [("42", "32", f"00000{i}") for i in range(4)]


def test_a_third_task_comes_last() -> None:
    m = make_measurements()
    members = m.members.copy()
    members["task"] = members["task"].where(members["seed"] != 6312, "masked").where(m.members["stage"] != "finetuning")
    found = cells(table(replace(m, members=members), "1"))
    assert list(found) == [
        *(("supervised",), ("contrastive",), ("masked",)),
        *(("supervised × contrastive",), ("supervised × masked",), ("contrastive × masked",), ("all",)),
    ]
    assert found[("masked",)]["Accuracy"] is None
    parts = [of(found[(name,)][BLOCKS]) for name in ("supervised", "supervised × contrastive", "supervised × masked")]
    same(found[("supervised",)][PAPERS], pooled(parts))
    assert of(found[("all",)][PAPERS])[2] == comb(6, 2)


def test_gap_that_was_not_recorded() -> None:
    m = make_measurements()
    m = replace(m, members=m.members.drop(columns="train_acc_clean").assign(gap=float("nan")))
    for row in cells(table(m, "2")).values():
        same(row["Gap (clean)"], (float("nan"), None, 0))
        assert of(row["Gap (online)"])[2] > 0


def test_notes_say_what_does_not_count() -> None:
    m = with_holes()
    one, two = table(m, "1"), table(m, "2")
    where = m.finetuned().index
    missing = int(np.isnan(np.triu(m.agreement[np.ix_(where, where)], 1)).sum())
    assert missing > 0
    expected = (
        f"{missing} of {comb(144, 2)} pairs were not evaluated on the same images and are not counted in agreement."
    )
    assert expected in two.notes
    assert any("scope 'backbone': every number but the head's" in note for note in one.notes)
    assert all("A note." in one.notes for one in build(m))
    assert all(
        one.left_out == ("ft_linear_seed7-00000000: its training diverged after epoch 2 of 5",) for one in build(m)
    )


def test_a_row_must_fit_its_table() -> None:
    with pytest.raises(ValueError, match="1 labels and 2 cells for 1 label columns and 1 columns"):
        Table("1", "t", ("a",), (Column("b"),), (Row(("x",), (1, 2)),))
