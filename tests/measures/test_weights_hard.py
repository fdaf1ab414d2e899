"""Weighing zoos that are not as the first one: equal checkpoints, chains of parents, other types, strangers' files."""

import numpy as np
import pytest
from test_weights import check, spoil
from zoo_edits import Tensors, copy_weights, grandchild, reopened, rewrite, vector

from vitzoo.errors import VitzooError
from vitzoo.measures import quantiles as module
from vitzoo.measures import streaming, weights
from vitzoo.measures.quantiles import LEVELS, quantiles
from vitzoo.measures.selection import Selection, select
from vitzoo.measures.weights import weigh
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MANIFEST, WEIGHTS


def test_a_child_beside_its_parent_twice(zoo: Zoo) -> None:
    """The distance to the parent and the distances of the pair are two results, in whatever order they come."""
    rows = zoo.rows("is_last AND stage = 'finetuning'")[:1]
    rows += [row for row in zoo.rows("is_last") if row["sha256"] == rows[0]["parent_sha256"]]
    first, second = (weigh(Selection(zoo, rows, [])) for _ in range(2))
    assert (first.read, second.read) == (2, 0)
    assert second.to_parent == first.to_parent
    assert first.to_parent[rows[0]["sha256"]] == pytest.approx(first.matrix([r["sha256"] for r in rows])[0, 1])


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
@pytest.mark.parametrize("victim", [0, 1])
def test_of_two_equal_checkpoints_one_is_damaged(zoo: Zoo, damage: str, victim: int) -> None:
    twins = zoo.members("finetuning")[:2]
    copy_weights(twins[0].checkpoint(), twins[1].checkpoint())
    zoo = reopened(zoo)
    spoil(twins[victim].checkpoint().path / WEIGHTS, damage)
    found = weigh(select(zoo))
    shared = twins[0].checkpoint().sha256
    assert found.statistics(shared, "all")["l2_norm"] > 0
    assert np.isfinite(found.matrix([row["sha256"] for row in select(zoo).rows])).all()
    named = {out.what for out in found.left_out}
    assert named <= {f"{twins[victim].name}, epoch 3"}
    assert damage == "flipped" or named  # only the one that is read is hashed


@pytest.mark.parametrize("batch", [1, 2, 256])
def test_grandchildren(zoo: Zoo, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "BATCH", batch)
    parent, child = grandchild(zoo)
    zoo = parent.zoo
    expected = np.linalg.norm(vector(child.checkpoint()) - vector(parent.checkpoint()))
    for selection in (select(zoo), select(zoo, "all"), select(zoo, where=f"member = '{child.name}'")):
        found = weigh(selection, pairwise=False)
        assert found.to_parent[child.checkpoint().sha256] == pytest.approx(expected, rel=1e-6)
    check(select(zoo), weigh(select(zoo)))


def test_parents_in_a_circle(zoo: Zoo) -> None:
    """No sound zoo has one, but manifests can be written by hand."""
    from zoo_edits import edit_json

    a, b = (member.checkpoint() for member in zoo.members("finetuning")[:2])
    for one, other in ((a, b), (b, a)):
        edge = {"member": other.member.name, "epoch": 3, "sha256": other.sha256}
        edit_json(one.member.checkpoint(0).path / MANIFEST, lambda manifest, edge=edge: manifest.update(parent=edge))
    again = reopened(zoo)
    selection = Selection(again, again.rows("is_last"), [])
    check(selection, weigh(selection))


def test_siblings_without_their_parent_are_hardly_read_again(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their differences are taken from the first of them; without, all six pairs would lose their digits."""
    random, parent = np.random.default_rng(0), zoo.members("pretraining")[0]
    start = parent.checkpoint().tensors()

    def near(tensors: Tensors) -> Tensors:
        moved = {name: start[name] + random.normal(0, 1e-3, start[name].shape) for name in tensors if name in start}
        return tensors | {name: t.astype("f4") for name, t in moved.items() if not name.startswith("head")}

    for child in parent.children():
        rewrite(child.checkpoint(), near)
    zoo = reopened(zoo)
    spoil(parent.checkpoint().path / WEIGHTS, "cut")
    again: list[str] = []
    real = weights.distance_of
    monkeypatch.setattr(weights, "distance_of", lambda a, b: again.append(a.name) or real(a, b))
    selection = select(zoo, where="stage = 'finetuning'")
    found = weigh(selection)
    x = [vector(selection.checkpoint(row)) for row in selection.rows]
    expected = [[np.linalg.norm(a - b) for b in x] for a in x]
    np.testing.assert_allclose(found.matrix([row["sha256"] for row in selection.rows]), expected, rtol=1e-5, atol=1e-9)
    assert sum(np.isnan(found.to_parent[row["sha256"]]) for row in selection.rows) == 4
    assert again == []


def test_a_parent_damaged_after_it_was_measured_gives_no_distance(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "BATCH", 1)
    assert weigh(select(zoo, where="stage = 'pretraining'"), pairwise=False).read == 2
    for parent in zoo.members("pretraining"):
        spoil(parent.checkpoint().path / WEIGHTS, "flipped")
    selection = select(zoo, where="stage = 'finetuning'")
    found = weigh(selection, pairwise=False)
    assert len(found.left_out) == 2
    assert np.isnan([found.to_parent[row["sha256"]] for row in selection.rows]).all()


@pytest.mark.parametrize("dtype", ["<f2", "<f8", "<i4", "bf16"])
def test_other_types_of_numbers(zoo: Zoo, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    member = zoo.members("finetuning")[0]
    rewrite(member.checkpoint(), lambda tensors: {name: converted(t, dtype) for name, t in tensors.items()})
    zoo = reopened(zoo)
    if dtype == "bf16":
        as_bfloat16(zoo, member.name)
        zoo = reopened(zoo)
    selection = select(zoo, where=f"member = '{member.name}'")
    (row,) = selection.rows
    whole = np.concatenate([t.ravel() for t in selection.checkpoint(row).tensors().values()]).astype("f8")
    assert weigh(selection).statistics(row["sha256"], "all")["l2_norm"] == pytest.approx(np.linalg.norm(whole))
    monkeypatch.setattr(module, "SMALL", 1)
    found = quantiles(selection)
    assert found.scopes[row["sha256"]]["all"] == pytest.approx(np.quantile(whole, LEVELS), rel=1e-6)


def converted(tensor: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bf16":
        return (tensor.astype("<f4").view("<u4") >> np.uint32(16)).astype("<u2")
    return (tensor * (1000 if dtype == "<i4" else 1)).astype(dtype)


def as_bfloat16(zoo: Zoo, name: str) -> None:
    """Say of whole numbers of 16 bits that they are the upper halves of floats."""
    import hashlib

    from zoo_edits import edit_json

    checkpoint = zoo.member(name).checkpoint()
    path = checkpoint.path / WEIGHTS
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(b'"U16"', b'"BF16"')
    data = len(header).to_bytes(8, "little") + header + data[8 + length :]
    path.write_bytes(data)
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    edit_json(checkpoint.path / MANIFEST, lambda manifest: manifest["files"].update({WEIGHTS: entry}))


@pytest.mark.parametrize(
    ("value", "why"),
    [(np.inf, "not finite"), (-np.inf, "not finite"), (np.nan, "not finite"), (3e37, "too large")],
)
def test_numbers_out_of_range(zoo: Zoo, value: float, why: str) -> None:
    member = zoo.members("finetuning")[0]
    rewrite(member.checkpoint(), lambda tensors: tensors | {"norm.bias": np.full(8, value, "f4")})
    found = weigh(select(reopened(zoo)))
    assert [out.what for out in found.left_out] == [f"{member.name}, epoch 3"]
    assert why in found.left_out[0].why
    rest = [row["sha256"] for row in select(zoo).rows if row["member"] != member.name]
    assert np.isfinite(found.matrix(rest)).all()


@pytest.mark.parametrize("which", ["nothing", "empty tensor", "no blocks", "scalar"])
def test_files_that_are_no_model(zoo: Zoo, which: str) -> None:
    made = {
        "nothing": {},
        "empty tensor": {"a": np.zeros((0, 3), "f4"), "b": np.ones(3, "f4")},
        "no blocks": {"a": np.ones((2, 3), "f4")},
        "scalar": {"blocks.0.attn.qkv.weight": np.ones((), "f4"), "blocks.0.mlp.fc1.weight": np.ones(6, "f4")},
    }
    member = zoo.members("finetuning")[0]
    sha256 = rewrite(member.checkpoint(), lambda tensors: made[which])
    zoo = reopened(zoo)
    found, sorted_ = weigh(select(zoo)), quantiles(select(zoo))
    assert bool(found.left_out) == bool(sorted_.left_out) == (which in ("nothing", "empty tensor"))
    if not found.left_out:
        assert found.statistics(sha256, "all")["mean"] == 1
        assert np.isnan(found.statistics(sha256, "matrices")["mean"])
        assert np.isnan(sorted_.scopes[sha256]["square"]).all()


def test_files_that_cannot_be_opened(zoo: Zoo) -> None:
    """A file may vanish between its check and its reading."""
    selection = select(zoo)
    path = selection.checkpoint(selection.rows[0]).path / WEIGHTS
    path.unlink()
    with pytest.raises(VitzooError, match="cannot be opened: No such file"), streaming._opened(path):
        pass
