"""The catalogue: what is in it, when it is rebuilt, and that a question cannot do harm."""

from collections.abc import Callable
from pathlib import Path

import pytest
from little_zoo import grow, make_config, make_tensors

from vitzoo.errors import InputError, VitzooError
from vitzoo.zoo import Zoo, atomic, rows
from vitzoo.zoo import catalogue as catalogue_module


def test_rows_hold_factors_metrics_and_origin(zoo: Zoo) -> None:
    found = zoo.rows("member = 'ft-adamw-2' AND epoch > 0", order_by="epoch desc")
    row = found[0]
    assert [r["epoch"] for r in found] == [3, 2, 1]
    wanted = {"stage": "finetuning", "is_last": True, "status": "finished", "optimizer": "adamw", "head": "linear"}
    wanted |= {"dataset": "digits", "parent_seed": 2, "parent_task": "supervised", "train_loss": 1.7, "dim": 4}
    wanted |= {"parent_member": "pre2", "parent_epoch": 3, "from_member": "ft-adamw-2", "from_epoch": 2}
    wanted |= {"path": "finetuning/pre2/ft-adamw-2/checkpoint_000003", "checkpoints_every": 1, "flip": 0.5}
    assert {key: row[key] for key in wanted} == wanted
    checkpoint = zoo.checkpoint("ft-adamw-2")
    assert row["sha256"] == checkpoint.sha256
    assert row["parent_sha256"] == zoo.checkpoint("pre2").sha256
    assert row["size"] == sum(path.stat().st_size for path in checkpoint.path.iterdir())
    assert len(zoo.rows()) == zoo.count() == 24
    assert zoo.rows("epoch = 0", ["member", "parent_seed"], limit=1) == [{"member": "pre1", "parent_seed": None}]


def test_table_is_pandas(zoo: Zoo) -> None:
    table = zoo.table("stage = 'finetuning' AND is_last", ["member", "test_acc"], "member")
    assert list(table.columns) == ["member", "test_acc"]
    assert table["member"].tolist() == ["ft-adamw-1", "ft-adamw-2", "ft-sgd-1", "ft-sgd-2"]


def test_lineage(zoo: Zoo) -> None:
    graph = zoo.lineage()
    assert graph.number_of_nodes() == 6 + 24
    assert graph.has_edge("pre1", "ft-sgd-1")
    assert graph.has_edge("pre1@3", "ft-sgd-1@0")
    assert graph.nodes["ft-sgd-1@2"]["sha256"] == zoo.checkpoint("ft-sgd-1", 2).sha256
    roots = [n for n, degree in graph.in_degree() if degree == 0]
    assert sorted(roots) == ["pre1", "pre2"]


def test_rebuilt_when_the_tree_changes_and_only_then(
    zoo: Zoo, settled: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settled()
    builds = []
    original = rows.all_rows
    monkeypatch.setattr(rows, "all_rows", lambda z: builds.append(1) or original(z))
    assert zoo.count() == Zoo.open(zoo.path).count() == 24
    assert len(builds) == 1
    member = zoo.add_member(make_config("new"))
    grow(member, 1)
    assert zoo.count("member = 'new'") == Zoo.open(zoo.path).count("member = 'new'") == 2
    assert len(builds) == 2
    member.record_divergence(2, {})
    assert zoo.rows("member = 'new'", ["status"], 1) == [{"status": "diverged"}]
    (zoo.path / "catalogue.parquet").unlink()
    assert Zoo.open(zoo.path).catalogue().summary["members"] == {"diverged": 1, "finished": 6}
    (zoo.path / "catalogue.parquet").write_bytes(b"PAR1 no, not at all PAR1")
    assert Zoo.open(zoo.path).count() == 26


def test_a_tree_that_has_just_changed_has_no_fingerprint(zoo: Zoo) -> None:
    (zoo.path / "zoo.json").touch()
    assert catalogue_module.fingerprint(zoo) == catalogue_module.UNSETTLED
    zoo.count()
    zoo.member("pre1").path.joinpath("checkpoint_000003").rename(zoo.path / "gone")
    assert zoo.count() == 23


def test_read_only_zoo(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, data: bytes) -> None:
        with atomic.storing(path):
            raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(atomic, "replace_file", refuse)
    assert zoo.count() == 24
    assert "in memory only" in zoo.catalogue().notes[0]
    assert "Read-only file system" in zoo.catalogue().notes[0]


def test_members_without_checkpoints_are_counted(empty: Zoo) -> None:
    assert empty.rows() == []
    empty.add_member(make_config("m"))
    assert empty.catalogue().summary["members"] == {"planned": 1}
    assert empty.table().empty


def test_metric_with_the_name_of_a_factor(empty: Zoo) -> None:
    member = empty.add_member(make_config("m"))
    member.commit(0, make_tensors(0), {"lr": 0.25, "size": 3}, None)
    row = empty.rows()[0]
    assert (row["lr"], row["metric_lr"], row["metric_size"]) == (0.1, 0.25, 3)


def test_damage_is_told(zoo: Zoo) -> None:
    (zoo.checkpoint("pre1").path / "manifest.json").unlink()
    with pytest.warns(UserWarning, match="1 parts of the zoo cannot be read"):
        assert len(zoo.table()) == 23


def test_path_with_wildcards(tmp_path: Path, settled: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    from little_zoo import populate

    zoo = populate(tmp_path / "a[1]*?")
    settled()
    zoo.rebuild_catalogue()
    monkeypatch.setattr(catalogue_module, "build", lambda z: pytest.fail("not read from disk"))
    assert Zoo.open(zoo.path).count() == 24


WRONG = {
    "optimiser = 'adamw'": "Did you mean 'optimizer'",
    "epoch > 'x'": "cannot be used",
    "epoch >": "cannot be used",
    "1 = 1; DROP TABLE catalogue": "cannot be used",
    "1 = 1 LIMIT 3": "cannot be used",
    "1 = 1) UNION SELECT (2": "cannot be used",
    "epoch = 1, lr = 2": "cannot be used",
    "EXISTS (SELECT * FROM read_text('/etc/passwd'))": "cannot be used",
    "EXISTS (SELECT * FROM '/etc/passwd')": "cannot be used",
    "EXISTS (SELECT * FROM zoo)": "cannot be used",
    "'text'": "cannot be used",
    "sum(lr) > 1": "cannot be used",
}


@pytest.mark.parametrize("where", WRONG)
def test_wrong_conditions(zoo: Zoo, where: str) -> None:
    for ask in (zoo.rows, zoo.count, zoo.table):
        with pytest.raises(InputError, match=WRONG[where]):
            ask(where)
    assert zoo.count() == 24


def test_conditions_that_should_work(zoo: Zoo) -> None:
    assert zoo.count("member IN (SELECT member FROM catalogue WHERE optimizer = 'sgd') -- of SGD") == 8
    assert zoo.count("member LIKE 'ft%' AND is_last") == 4


def test_wrong_columns_and_orders(zoo: Zoo) -> None:
    with pytest.raises(InputError, match="Did you mean 'test_acc'"):
        zoo.rows(columns=["test_ac"])
    with pytest.raises(InputError, match="Did you mean 'lr'"):
        zoo.rows(order_by="lrr")
    for order in ("lr; drop", 'lr"', "1", "lr up"):
        with pytest.raises(VitzooError):
            zoo.rows(order_by=order)
    assert zoo.rows(columns=["epoch"], order_by="-epoch, member", limit=1) == [{"epoch": 3}]


def test_scan_reads_all_that_fits_into_one_memory(zoo: Zoo) -> None:
    expected = [(c.member.name, c.epoch) for m in zoo.members("finetuning") for c in m.checkpoints() if c.epoch > 1]
    found, places = [], set()
    for checkpoint, tensors in zoo.scan("stage = 'finetuning' AND epoch > 1"):
        found.append((checkpoint.member.name, checkpoint.epoch))
        places.add(tensors["b.weight"].ctypes.data)
        assert (tensors["b.weight"] == checkpoint.tensors(["b.weight"])["b.weight"]).all()
    assert found == expected
    assert len(places) == 1
    assert [list(tensors) for _, tensors in zoo.scan("is_last", ["a.bias"])] == [["a.bias"]] * 6
    with pytest.raises(InputError, match="no tensor"):
        list(zoo.scan(names=["c"]))
