"""What is measured and what is left out, and why."""

import shutil

import pytest

from vitzoo.errors import InputError
from vitzoo.measures.selection import select
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MANIFEST


def test_the_last_checkpoint_of_everybody(zoo: Zoo) -> None:
    found = select(zoo)
    assert found.left_out == []
    assert [(row["member"], row["epoch"]) for row in found.rows] == [
        (member.name, member.last_epoch) for stage in ("pretraining", "finetuning") for member in zoo.members(stage)
    ]


def test_epochs_and_conditions(zoo: Zoo) -> None:
    assert len(select(zoo, "all").rows) == 30
    assert {row["epoch"] for row in select(zoo, [0, 2], "stage = 'finetuning'").rows} == {0, 2}
    assert {row["optimizer"] for row in select(zoo, where="optimizer = 'sgd'").rows} == {"sgd"}
    with pytest.raises(InputError, match=r"no column 'optimiser'.* Did you mean 'optimizer'"):
        select(zoo, where="optimiser = 'sgd'")
    with pytest.raises(InputError, match="'last', 'all' or whole numbers"):
        select(zoo, "first")


def test_unfinished_members_have_no_last_epoch(zoo: Zoo) -> None:
    a, b, c = zoo.members("finetuning")[:3]
    shutil.rmtree(a.checkpoint().path)
    shutil.rmtree(b.checkpoint().path)
    b.record_divergence(3, {"train_loss": None})
    for checkpoint in c.checkpoints():
        shutil.rmtree(checkpoint.path)
    found = select(Zoo.open(zoo.path))
    reasons = {out.what: out.why for out in found.left_out}
    assert reasons == {
        a.name: "it is not finished: epoch 2 of 3",
        b.name: "its training diverged after epoch 2 of 3",
        c.name: "it has no checkpoint yet",
    }
    assert not any(out.damaged for out in found.left_out)
    assert len(found.rows) == 7
    assert len(select(zoo, "all").rows) == 30 - 2 - 3


def test_damaged_members_are_named_with_what_is_wrong(zoo: Zoo) -> None:
    a, b, c = zoo.members("finetuning")[:3]
    (a.checkpoint().path / MANIFEST).write_text("{")
    (b.checkpoint(0).path / MANIFEST).unlink()
    (c.path / "config.json").write_text("[]")
    for member in (a, b, c):
        (member.path / "touched").touch()
        (member.path / "touched").unlink()
    found = select(Zoo.open(zoo.path))
    assert [(out.what, out.damaged) for out in found.left_out] == [
        (a.name, True),
        (f"{b.name}, epoch 0", True),
        (c.name, True),
    ]
    assert "is not valid JSON" in found.left_out[0].why
    assert {row["member"] for row in found.rows} == {m.name for m in zoo.members()} - {a.name, c.name}
