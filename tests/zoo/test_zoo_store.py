"""Zoos, members and checkpoints: making, finding, committing, reading."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from little_zoo import grow, hash_of, make_config, make_tensors, make_zoo

import vitzoo
from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import Zoo, layout, verify


def test_create_is_idempotent_and_refuses_another(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path / "a" / "zoo")
    assert make_zoo(zoo.path).execution == {"device": "cpu"}
    assert (zoo.name, zoo.licence, zoo.blueprint_text) == ("little", "CC-BY-4.0", "name: little\n")
    with pytest.raises(InputError, match="another name, blueprint"):
        Zoo.create(zoo.path, name="x", licence="CC-BY-4.0", blueprint="", execution={"device": "cpu"})
    assert json.loads((zoo.path / "zoo.json").read_bytes())["format"] == 1


def test_create_takes_an_empty_directory_but_no_other(tmp_path: Path) -> None:
    (tmp_path / ".grow").mkdir()
    make_zoo(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(InputError, match="not empty"):
        make_zoo(tmp_path / "full")


def test_open_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no zoo\.json"):
        vitzoo.open(tmp_path)
    with pytest.raises(InputError, match="no such directory"):
        vitzoo.open(tmp_path / "none")


def test_newer_format_is_refused(empty: Zoo) -> None:
    (empty.path / "zoo.json").write_text('{"format": 2}')
    with pytest.raises(IntegrityError, match="Update vitzoo"):
        vitzoo.open(empty.path)


def test_add_member_is_idempotent_and_checks(empty: Zoo) -> None:
    parent = empty.add_member(make_config("p"))
    child = empty.add_member(make_config("c", parent))
    assert empty.add_member(make_config("c", parent)) is child
    assert (child.parent, parent.children(), parent.parent) == (parent, [child], None)
    assert child.path == empty.path / "finetuning" / "p" / "c"
    assert (child.stage, child.recipe["hyperparameters"]["seed"]) == ("finetuning", 1)
    with pytest.raises(IntegrityError, match="another config"):
        empty.add_member(make_config("c", parent, lr=0.5))
    with pytest.raises(IntegrityError, match="unique"):
        empty.add_member(make_config("P"))
    with pytest.raises(InputError, match="add it first"):
        empty.add_member(make_config("d", parent) | {"parent": {"member": "q", "id": parent.id}})
    with pytest.raises(IntegrityError, match="another id"):
        empty.add_member(make_config("d", parent) | {"parent": {"member": "p", "id": "0" * 64}})
    with pytest.raises(IntegrityError, match="'name'"):
        empty.add_member(make_config("../evil"))
    with pytest.raises(IntegrityError, match="'recipe'"):
        empty.add_member({k: v for k, v in make_config("e").items() if k != "recipe"})


def test_find_a_member(zoo: Zoo) -> None:
    assert [m.name for m in zoo.members()] == ["ft-adamw-1", "ft-adamw-2", "ft-sgd-1", "ft-sgd-2", "pre1", "pre2"]
    assert [m.name for m in zoo.members("pretraining")] == ["pre1", "pre2"]
    wanted = zoo.member("pre1")
    for key in ("pre1", wanted.id, wanted.id[:10], wanted.id[-10:], "re1"):
        assert zoo.member(key) is wanted
    with pytest.raises(InputError, match="Did you mean 'pre1'"):
        zoo.member("pree1")
    with pytest.raises(InputError, match="fits 2 members"):
        zoo.member("ft-s")
    with pytest.raises(InputError, match="Did you mean 'finetuning'"):
        zoo.members("finetunning")


def test_commit_and_read(zoo: Zoo) -> None:
    member = zoo.member("ft-sgd-1")
    assert (member.epochs(), member.status) == ([0, 1, 2, 3], "finished")
    last, first = member.checkpoint(), member.checkpoint(0)
    assert last.epoch == 3
    assert last.names() == ["b.weight", "a.bias"]
    assert list(last.tensors(["a.bias"])) == ["a.bias"]
    assert first.manifest["parent"] == {"member": "pre1", "epoch": 3, "sha256": zoo.checkpoint("pre1").sha256}
    assert last.manifest["parent"] == {"member": "ft-sgd-1", "epoch": 2, "sha256": member.checkpoint(2).sha256}
    assert zoo.checkpoint("pre1", 0).manifest["parent"] is None
    assert (last.path / "config.json").read_bytes() == (member.path / "config.json").read_bytes()
    assert member.curve() == [{"epoch": c.epoch, **c.metrics} for c in member.checkpoints()]
    with pytest.raises(InputError, match="closest is 3"):
        member.checkpoint(7)
    assert verify(zoo, deep=True).findings == []


def test_state_dict_is_of_torch(zoo: Zoo) -> None:
    torch = pytest.importorskip("torch")
    checkpoint = zoo.checkpoint("pre1")
    assert torch.equal(checkpoint.state_dict()["a.bias"], torch.from_numpy(checkpoint.tensors()["a.bias"]))


def test_commit_twice_changes_nothing(empty: Zoo) -> None:
    member = empty.add_member(make_config("m"))
    edge = grow(member)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in member.path.rglob("*") if p.is_file()}
    assert member.commit(3, make_tensors(hash_of("m") + 3), {"train_loss": 9.0}, None) == edge["sha256"]
    assert before == {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in member.path.rglob("*") if p.is_file()}
    with pytest.raises(IntegrityError, match="never changes"):
        member.commit(3, make_tensors(0), {}, None)
    assert list(empty.leftovers()) == []
    assert verify(empty, deep=True).ok


def test_every_epoch_can_be_repeated_without_its_parent(zoo: Zoo) -> None:
    """A run that lost its resume state starts over and commits all its epochs again."""
    for member in zoo.members():
        before = [checkpoint.sha256 for checkpoint in member.checkpoints()]
        again = [member.commit(e, make_tensors(hash_of(member.name) + e), {}, None) for e in member.epochs()]
        assert again == before
    assert verify(zoo, deep=True).ok


def test_commit_refuses_what_does_not_fit(empty: Zoo) -> None:
    parent = empty.add_member(make_config("p"))
    edge = grow(parent, 1)
    child = empty.add_member(make_config("c", parent))
    tensors = make_tensors(1)
    for wrong in (None, {"member": "p"}, edge | {"member": "q"}):
        with pytest.raises(InputError, match="needs its parent"):
            child.commit(0, tensors, {}, wrong)
    with pytest.raises(IntegrityError, match="other weights"):
        child.commit(0, tensors, {}, edge | {"sha256": "0" * 64})
    with pytest.raises(InputError, match="first checkpoint has no parent"):
        empty.add_member(make_config("p2")).commit(0, tensors, {}, edge)
    with pytest.raises(InputError, match="previous one, epoch 1"):
        parent.commit(2, tensors, {}, edge | {"epoch": 0})
    with pytest.raises(InputError, match="too late"):
        parent.commit(4, tensors, {}, None)
    for metrics in ({"a b": 1}, {"x": "1"}, {"x": True}, {"epoch": 1}):
        with pytest.raises(InputError, match="etric"):
            parent.commit(2, tensors, metrics, None)
    with pytest.raises(InputError, match="whole number"):
        parent.commit(-1, tensors, {}, None)
    parent.commit(3, tensors, {"x": np.float32(0.5), "n": np.int64(3), "bad": float("inf")}, edge)
    assert parent.checkpoint(3).metrics == {"x": 0.5, "n": 3, "bad": None}
    with pytest.raises(InputError, match="rising order"):
        parent.commit(2, tensors, {}, None)


def test_epochs_that_are_not_kept(empty: Zoo) -> None:
    member = empty.add_member(make_config("m", epochs=4, every=2))
    assert member.status == "planned"
    member.record_epochs([{"epoch": 1, "x": 1.0}, {"epoch": 2, "x": 2.0}])
    assert ([line["epoch"] for line in member.curve()], member.status) == ([1], "growing")
    grow(member, 0)
    member.commit(2, make_tensors(2), {"x": 2.5}, None)
    member.record_epochs([{"epoch": 3, "x": float("nan")}])
    member.commit(4, make_tensors(4), {"x": 4.0}, None)
    assert [line.get("x") for line in member.curve()] == [None, 1.0, 2.5, None, 4.0]
    assert member.status == "finished"
    assert verify(empty, deep=True).ok


def test_divergence(empty: Zoo) -> None:
    member = empty.add_member(make_config("m"))
    grow(member, 1)
    member.record_divergence(2, {"train_loss": float("nan")})
    assert member.status == "diverged"
    assert member.curve()[-1] == {"epoch": 2, "diverged": True, "train_loss": None}
    with pytest.raises(IntegrityError, match="diverged in epoch 2"):
        member.commit(2, make_tensors(2), {}, None)
    with pytest.raises(InputError, match="did not diverge"):
        member.record_divergence(1, {})
    assert verify(empty, deep=True).ok


def test_a_line_lost_by_a_kill_comes_back(empty: Zoo) -> None:
    member = empty.add_member(make_config("m"))
    grow(member, 1)
    result = member.path / "result.json"
    result.write_bytes(result.read_bytes().splitlines(keepends=True)[0])
    assert [line["epoch"] for line in member.curve()] == [0, 1]
    assert verify(empty).ok
    member.commit(2, make_tensors(2), {}, None)
    assert verify(empty).ok
    result.write_bytes(result.read_bytes().splitlines(keepends=True)[0])
    empty.sweep()
    assert len(result.read_bytes().splitlines()) == 3


def test_sweep_removes_unfinished_writes(zoo: Zoo) -> None:
    for place in (zoo.path, zoo.path / "pretraining", zoo.path / "finetuning" / "pre1", zoo.member("ft-sgd-1").path):
        (place / ".staging-1-2-ab").mkdir()
        (place / ".staging-1-2-ab" / "model.safetensors").touch()
        (place / ".staging-zoo.json-2-ab").touch()
    assert len(verify(zoo).findings) == 8
    assert zoo.sweep() == 8
    assert verify(zoo, deep=True).ok


def test_names() -> None:
    good = ["a", "A.b_c=d+e-f", "x" * 128]
    bad = ["", ".", "..", "-a", "a/b", "a\n", "ä", "x" * 129, "a.", "CON", "nul.txt", "lpt1", "a b", "a\0"]
    assert all(map(layout.is_name, good))
    assert not any(map(layout.is_name, bad))


def test_reading_imports_nothing_heavy(zoo: Zoo) -> None:
    code = (
        "import sys, vitzoo, vitzoo.cli.ls, vitzoo.cli.show, vitzoo.cli.verify\n"
        "from vitzoo.zoo import verify\n"
        f"z = vitzoo.open({str(zoo.path)!r}); verify(z, deep=True); z.member('pre1').curve()\n"
        "heavy = {'torch', 'timm', 'pandas', 'matplotlib', 'numpy', 'pyarrow', 'duckdb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
