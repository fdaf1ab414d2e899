"""Merged members: committed as a whole, found by everything that reads a zoo, and held to what they were made of."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from little_zoo import make_config, make_tensors

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import Member, Zoo, atomic, merge, verify

NAMES = ("ft-adamw-1", "ft-sgd-1")
METRICS = {"test_acc": 0.5, "test_loss": 1.5}


def edge(member: Member, **more: Any) -> dict[str, Any]:
    last = member.checkpoint()
    return {"member": member.name, "epoch": last.epoch, "sha256": last.sha256, **more}


def config_of(zoo: Zoo, name: str = "soup", method: str = "uniform") -> dict[str, Any]:
    members = [zoo.member(each) for each in NAMES]
    made = merge.make(method, {"k": 2}, [edge(member, share=0.5) for member in members], edge(zoo.member("pre1")))
    return merge.make_config(name, made, [member.config for member in members])


@pytest.fixture
def merged(zoo: Zoo) -> Member:
    return zoo.add_merged(config_of(zoo), make_tensors(7), METRICS)


def test_a_merged_member_reads_like_any(zoo: Zoo, merged: Member) -> None:
    again = Zoo.open(zoo.path).member("soup")
    assert (again.stage, again.status, again.last_epoch, again.epochs(), again.parent) == (
        "merging",
        "finished",
        0,
        [0],
        None,
    )
    assert again.checkpoint().metrics == METRICS and again.curve() == [{"epoch": 0, **METRICS}]
    for name, array in again.checkpoint().tensors().items():
        np.testing.assert_array_equal(array, make_tensors(7)[name])
    assert [member.name for member in zoo.members("merging")] == ["soup"]
    assert len(zoo.members()) == 7 and zoo.member(again.id).name == "soup"
    assert [member.name for member in zoo.member("pre1").merged_into()] == ["soup"]
    assert zoo.member("pre2").merged_into() == []


def test_the_recipe_holds_what_the_ingredients_agree_in(merged: Member) -> None:
    hyper = merged.recipe["hyperparameters"]
    assert hyper["seed"] == 1 and "optimizer" not in hyper and merged.recipe["stage"] == "merging"
    assert merged.config["num_classes"] == 10


def test_the_id_is_the_digest_of_the_merge_without_its_shares(zoo: Zoo, merged: Member) -> None:
    recorded = merged.merge
    assert recorded is not None
    for one in recorded["ingredients"]:
        del one["share"]
    text = json.dumps(recorded, sort_keys=True, separators=(",", ":"))
    assert merged.id == hashlib.sha256(text.encode()).hexdigest()
    assert config_of(zoo, method="greedy")["id"] != merged.id


def test_the_catalogue_has_its_row_and_nothing_of_it_is_a_factor(zoo: Zoo, merged: Member) -> None:
    (row,) = zoo.rows("stage = 'merging'")
    assert (row["member"], row["method"], row["is_last"], row["status"]) == ("soup", "uniform", True, "finished")
    assert row["optimizer"] is None and row["seed"] == 1 and row["test_acc"] == 0.5
    assert row["parent_member"] is None and row["from_member"] is None
    assert zoo.count("method IS NULL") == 24
    assert zoo.catalogue().summary["members"] == {"finished": 6, "merged": 1}
    assert zoo.rows()[-1]["member"] == "soup"


def test_the_graph_has_an_edge_from_all_that_was_merged(zoo: Zoo, merged: Member) -> None:
    graph = zoo.lineage()
    found = {(a, b) for a, b, kind in graph.edges(data="kind") if kind == "merged"}
    assert found == {(a, "soup") for a in (*NAMES, "pre1")} | {(f"{a}@3", "soup@0") for a in (*NAMES, "pre1")}
    assert graph.nodes["soup"]["stage"] == "merging"


def test_twice_is_once(zoo: Zoo, merged: Member) -> None:
    before = {path: path.read_bytes() for path in merged.path.rglob("*") if path.is_file()}
    assert zoo.add_merged(config_of(zoo), make_tensors(7), METRICS) is merged
    assert {path: path.read_bytes() for path in merged.path.rglob("*") if path.is_file()} == before
    with pytest.raises(IntegrityError, match="other weights"):
        zoo.add_merged(config_of(zoo), make_tensors(8), METRICS)
    with pytest.raises(IntegrityError, match=r"another config\.json"):
        zoo.add_merged(config_of(zoo, method="greedy"), make_tensors(7), METRICS)
    with pytest.raises(IntegrityError, match="has the name 'FT-sgd-1' already"):
        zoo.add_merged(config_of(zoo, "FT-sgd-1"), make_tensors(7), METRICS)
    assert verify(zoo, deep=True).ok


def test_a_kill_leaves_nothing_to_see(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    written = atomic.write_synced

    def failing(path: Path, data: bytes) -> None:
        if path.name == "manifest.json":
            raise KeyboardInterrupt
        written(path, data)

    monkeypatch.setattr(atomic, "write_synced", failing)
    monkeypatch.setattr(atomic, "discard", lambda path: None)  # a kill does not tidy up
    with pytest.raises(KeyboardInterrupt):
        zoo.add_merged(config_of(zoo), make_tensors(7), METRICS)
    monkeypatch.undo()
    assert zoo.members("merging") == []
    assert [finding.problem for finding in verify(zoo).findings] == [
        "is an unfinished write that a stopped process left"
    ]
    assert zoo.sweep() == 1 and verify(zoo).ok
    zoo.add_merged(config_of(zoo), make_tensors(7), METRICS)
    assert verify(zoo, deep=True).ok


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def test_verify_holds_it_to_its_ingredients(zoo: Zoo, merged: Member) -> None:
    assert verify(zoo, deep=True).ok
    shutil.rmtree(zoo.member("ft-sgd-1").path)
    found = verify(Zoo.open(zoo.path)).findings
    assert any("soup" in one.path and "'ft-sgd-1', epoch 3, which is not in the zoo" in one.problem for one in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["merge"]["ingredients"][0].update(sha256="0" * 64), "id of its merge"),
        (lambda c: c["merge"].update(ingredients=[]), "'merge'"),
        (lambda c: c["merge"]["ingredients"][0].update(share="all"), "'merge'"),
        (lambda c: c["merge"].pop("method"), "'merge'"),
        (lambda c: c.pop("merge"), "'merge'"),
        (lambda c: c["recipe"].update(checkpoints={"every": 0}), "'recipe'"),
        (lambda c: c.update(parent={"member": "pre1"}), "'parent'"),
        (lambda c: c.update(stage="pretraining"), "another member"),
    ],
)
def test_a_config_that_no_merge_writes_is_refused(zoo: Zoo, merged: Member, change: Any, said: str) -> None:
    edit(merged.path / "config.json", change)
    again = Zoo.open(zoo.path)
    with pytest.raises(IntegrityError, match=said):
        again.member("soup").config  # noqa: B018
    assert not verify(again).ok
    assert again.catalogue().notes and again.count() == 24  # the rest is read


def test_verify_finds_other_digests_and_other_epochs(zoo: Zoo, merged: Member) -> None:
    wrong = config_of(zoo, "wrong")
    wrong["merge"]["ingredients"][0]["sha256"] = "0" * 64
    wrong["id"] = merge.merge_id(wrong["merge"])
    with pytest.raises(IntegrityError, match="other weights than were merged"):
        zoo.add_merged(wrong, make_tensors(7), METRICS)
    member = zoo.add_member(wrong)
    member.commit(0, make_tensors(7), METRICS, None)
    shutil.copytree(member.path / "checkpoint_000000", member.path / "checkpoint_000001")
    said = [str(finding) for finding in verify(zoo).findings]
    assert any("which has other weights now" in one for one in said)
    assert any("epoch 0 alone" in one for one in said)


def test_only_members_of_the_zoo_can_be_ingredients(zoo: Zoo) -> None:
    strange = config_of(zoo)
    strange["merge"]["ingredients"][0]["member"] = "nobody"
    strange["id"] = merge.merge_id(strange["merge"])
    with pytest.raises(InputError, match="no member 'nobody'"):
        zoo.add_merged(strange, make_tensors(7), METRICS)


def test_growing_goes_on_beside_it(zoo: Zoo, merged: Member) -> None:
    zoo.sweep()
    parent = zoo.member("pre1")
    assert zoo.add_member(make_config("ft-new", parent)).status == "planned"
    with pytest.raises(IntegrityError, match="has the name 'soup' already"):
        zoo.add_member(make_config("soup", parent))
    with pytest.raises(InputError, match="was not fine-tuned"):
        merged.commit(0, make_tensors(7), METRICS, edge(parent))


def test_merges_of_merges(zoo: Zoo, merged: Member) -> None:
    other = zoo.member("ft-sgd-2")
    made = merge.make("uniform", {}, [edge(merged), edge(other)])
    twice = zoo.add_merged(merge.make_config("twice", made, [merged.config, other.config]), make_tensors(9), METRICS)
    assert verify(zoo, deep=True).ok
    assert ("soup", "twice") in zoo.lineage().edges and twice.recipe["dataset"] == other.recipe["dataset"]
