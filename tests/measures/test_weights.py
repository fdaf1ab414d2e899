"""Weighing a zoo: against whole vectors in float64, from the cache, and with members that are not sound."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from vitzoo.measures import streaming, weights
from vitzoo.measures.selection import Selection, select
from vitzoo.measures.weights import weigh
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import WEIGHTS


def vectors(selection: Selection) -> np.ndarray:
    """All backbones as whole vectors."""
    rows = [selection.checkpoint(row).tensors() for row in selection.rows]
    return np.array([np.concatenate([t.ravel() for n, t in r.items() if not n.startswith("head")]) for r in rows], "f8")


def check(selection: Selection, found: weights.Weights) -> None:
    x = vectors(selection)
    digests = [row["sha256"] for row in selection.rows]
    expected = np.array([[np.linalg.norm(a - b) for b in x] for a in x])
    np.testing.assert_allclose(found.matrix(digests), expected, rtol=1e-5, atol=1e-9)
    place = {row["member"]: i for i, row in enumerate(selection.rows)}
    for i, row in enumerate(selection.rows):
        if row["parent_member"] in place:
            distance = found.to_parent[row["sha256"]]
            assert distance == pytest.approx(expected[i, place[row["parent_member"]]], rel=1e-7)
        for scope, kurtosis in (("backbone", stats.kurtosis(x[i])),):
            assert found.statistics(row["sha256"], scope)["kurtosis"] == pytest.approx(kurtosis, rel=1e-9)


def test_against_whole_vectors(zoo: Zoo) -> None:
    selection = select(zoo)
    found = weigh(selection)
    assert (found.read, found.left_out) == (10, [])
    check(selection, found)


def test_a_second_call_reads_nothing(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    selection = select(zoo)
    first = weigh(selection)
    monkeypatch.setattr(streaming, "read", None)
    second = weigh(select(zoo))
    assert second.read == 0
    digests = [row["sha256"] for row in selection.rows]
    assert second.matrix(digests).tobytes() == first.matrix(digests).tobytes()
    assert second.to_parent == first.to_parent
    assert second.statistics(digests[0], "all") == first.statistics(digests[0], "all")


def test_processes_and_pieces_change_nothing(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "ALONE", 0)
    monkeypatch.setattr(streaming, "PIECE", 4 * 10 * 1024)
    selection = select(zoo)
    check(selection, weigh(selection))


def test_parents_that_are_not_asked_for_are_read(zoo: Zoo) -> None:
    selection = select(zoo, where="stage = 'finetuning'")
    found = weigh(selection)
    assert found.read == 10 and np.isfinite([found.to_parent[row["sha256"]] for row in selection.rows]).all()


def test_trajectories_in_batches(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "BATCH", 5)
    selection = select(zoo, "all")
    found = weigh(selection, pairwise=False)
    x = {(row["member"], row["epoch"]): v for row, v in zip(selection.rows, vectors(selection), strict=True)}
    for row in selection.rows:
        if row["parent_member"]:
            expected = np.linalg.norm(x[row["member"], row["epoch"]] - x[row["parent_member"], row["parent_epoch"]])
            assert found.to_parent[row["sha256"]] == pytest.approx(expected, rel=1e-7)
            assert row["epoch"] or expected == 0


@pytest.mark.parametrize("stage", ["finetuning", "pretraining"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_weights_are_left_out(zoo: Zoo, damage: str, stage: str) -> None:
    victim = zoo.members(stage)[0].checkpoint()
    spoil(victim.path / WEIGHTS, damage)
    found = weigh(select(zoo))
    assert [out.what for out in found.left_out] == [f"{victim.member.name}, epoch {victim.epoch}"]
    assert found.left_out[0].damaged
    sound = select(zoo, where=f"member != '{victim.member.name}'")
    kept = [row["sha256"] for row in sound.rows]
    assert np.isfinite(found.matrix(kept)).all()
    children = [row for row in sound.rows if row["parent_member"] == victim.member.name]
    assert all(np.isnan(found.to_parent[row["sha256"]]) for row in children)
    assert len(children) == (4 if stage == "pretraining" else 0)


def test_numbers_that_are_not_finite_are_left_out(zoo: Zoo) -> None:
    member = zoo.members("finetuning")[0]
    last = member.checkpoint()
    tensors = last.tensors()
    tensors["norm.bias"] = tensors["norm.bias"].copy()
    tensors["norm.bias"][0] = np.nan
    shutil.rmtree(last.path)
    member.commit(last.epoch, tensors, {"test_acc": 0.5}, None)
    found = weigh(select(Zoo.open(zoo.path)))
    assert [out.why for out in found.left_out] == ["it holds values that are not finite"]
    assert np.isfinite(found.matrix([row["sha256"] for row in select(zoo).rows if row["member"] != member.name])).all()


def spoil(path: Path, damage: str) -> None:
    """Damage a file of weights."""
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
        return
    if damage == "cut":
        del data[-9:]
    else:
        data[-9] ^= 1
    path.write_bytes(data)
