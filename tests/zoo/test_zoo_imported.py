"""Members that were trained elsewhere: what their config says of it, and weights that are committed as they lie."""

from pathlib import Path
from typing import Any

import pytest
from little_zoo import make_config, make_tensors

from vitzoo.errors import IntegrityError
from vitzoo.zoo import Zoo, safetensors_io, verify
from vitzoo.zoo.commit import Ready
from vitzoo.zoo.imported import is_imported, make

NOTE = make("official", "pretraining/a", "a", {"optim::lr": 0.1}, [3, 7], ["epochs: taken from numbers"])


def imported_config(**changes: Any) -> dict[str, Any]:
    config = make_config("a") | {"imported": NOTE | changes}
    config["recipe"] = {"hyperparameters": {"lr": 0.1}}  # nothing else is known
    return config


def ready(path: Path, seed: int) -> Ready:
    sha256, size = safetensors_io.write(path, make_tensors(seed))
    return Ready(path, sha256, size, {"file": "checkpoint_3/checkpoints", "sha256": "0" * 64, "size": 5})


def test_it_is_finished_with_its_last_epoch_and_verifies(empty: Zoo, tmp_path: Path) -> None:
    member = empty.add_member(imported_config())
    for epoch in (3, 7):
        member.commit(epoch, ready(tmp_path / f"{epoch}.safetensors", epoch), {"test_acc": epoch / 10}, None)
    member.record_epochs({"epoch": epoch, "test_acc": 0.0} for epoch in range(8))  # a curve without checkpoints is fine
    assert (member.status, member.last_epoch, member.epochs()) == ("finished", 7, [3, 7])
    assert [line["epoch"] for line in member.curve()] == list(range(8))
    assert verify(empty, deep=True).findings == []
    row = empty.rows("epoch = 7")[0]
    assert (row["lr"], row["status"], row["test_acc"]) == (0.1, "finished", 0.7)


def test_a_ready_file_is_linked_and_its_source_noted(empty: Zoo, tmp_path: Path) -> None:
    member = empty.add_member(imported_config())
    file = ready(tmp_path / "w", 1)
    assert member.commit(3, file, {}, None) == file.sha256
    checkpoint = member.checkpoint(3)
    assert (checkpoint.path / "model.safetensors").samefile(file.path)
    assert checkpoint.manifest["source"] == file.source
    checkpoint.check()


def test_a_ready_file_that_is_no_safetensors_leaves_nothing(empty: Zoo, tmp_path: Path) -> None:
    member = empty.add_member(imported_config())
    (tmp_path / "w").write_bytes(b"\x80\x04pickle...")
    with pytest.raises(IntegrityError):
        member.commit(3, Ready(tmp_path / "w", "0" * 64, 11), {}, None)
    assert member.epochs() == []
    assert list(empty.leftovers()) == []


def test_a_lost_checkpoint_is_found(empty: Zoo, tmp_path: Path) -> None:
    member = empty.add_member(imported_config())
    member.commit(7, ready(tmp_path / "w", 1), {}, None)
    member.record_epochs([])
    (member.path / "result.json").write_text('{"epoch": 3, "test_acc": 0.1}\n{"epoch": 7}\n')
    assert [f.problem for f in verify(empty).findings] == ["is missing, although result.json has a line for it"]


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": []},
        {"epochs": [3, 3]},
        {"epochs": [True]},
        {"declared": []},
        {"notes": [1]},
        {"more": 1},
        {"key": None},
    ],
)
def test_other_forms_are_refused(empty: Zoo, change: dict[str, Any]) -> None:
    assert not is_imported(NOTE | change)
    with pytest.raises(IntegrityError, match="no valid 'imported'"):
        empty.add_member(imported_config(**change))
