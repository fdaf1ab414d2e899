"""Linear mode connectivity: its ends are the members, its middle what averaging by hand gives, its refusals."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_weights import spoil

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures import inference
from vitzoo.measures.inference import Places, batches, recipe_of, split_of
from vitzoo.measures.landscape import connectivity as module
from vitzoo.measures.landscape.connectivity import barrier, between, connectivity
from vitzoo.measures.predictions import predict
from vitzoo.measures.selection import select
from vitzoo.zoo import Checkpoint, Zoo
from vitzoo.zoo.layout import WEIGHTS


def siblings(zoo: Zoo, where: str = "head = 'mlp'") -> list[Checkpoint]:
    rows = zoo.rows(f"is_last AND stage = 'finetuning' AND parent_task = 'supervised' AND {where}")
    return [zoo.checkpoint(row["member"]) for row in rows]


def test_the_ends_are_the_members_own_evaluation(zoo: Zoo, places: Places) -> None:
    ends = siblings(zoo)
    found = connectivity(ends[0], ends[1], places)
    own = predict(select(zoo), places).found
    assert found.alphas == tuple(np.linspace(0, 1, 11)) and len(found.loss) == len(found.accuracy) == 11
    for checkpoint, loss, accuracy in zip(ends, found.loss[::10], found.accuracy[::10], strict=True):
        assert loss == pytest.approx(own[checkpoint.member.name, checkpoint.epoch].loss, rel=1e-6)
        assert accuracy == own[checkpoint.member.name, checkpoint.epoch].accuracy
        assert loss == pytest.approx(checkpoint.metrics["test_loss"], rel=1e-6)  # the zoo was grown in float32
    assert (found.a.member, found.b.epoch) == (ends[0].member.name, ends[1].epoch)


@pytest.mark.parametrize("split", ["test", "train"])
def test_the_middle_against_timm(zoo: Zoo, places: Places, split: str) -> None:
    a, b = siblings(zoo)
    found = connectivity(a, b, places, points=5, split=split)
    recipe = recipe_of(a.member)
    images = places.images(recipe)
    model, other = a.to_timm(), b.to_timm().state_dict()
    model.load_state_dict({name: 0.75 * x + 0.25 * other[name] for name, x in model.state_dict().items()})
    ((pixels, labels),) = batches(recipe, 10, split_of(images, split), 128)
    with torch.no_grad():
        outputs = model(pixels[0])
    assert found.loss[1] == pytest.approx(float(F.cross_entropy(outputs, labels)), rel=1e-5)
    assert found.accuracy[1] == pytest.approx(float((outputs.argmax(1) == labels).double().mean()), abs=1e-9)


def test_barriers() -> None:
    alphas = np.linspace(0, 1, 11)
    assert barrier(alphas, 1 + alphas) == pytest.approx(0, abs=1e-15)
    assert barrier(alphas, -alphas * (1 - alphas)) == 0  # a valley is no barrier
    assert barrier(alphas, 2 + alphas + 4 * alphas * (1 - alphas)) == pytest.approx(1)


def test_a_line_is_straight_and_keeps_its_ends() -> None:
    ends = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    rows = between(ends, np.linspace(0, 1, 5))
    assert rows.dtype == torch.float32 and torch.equal(rows[0], ends[0]) and torch.equal(rows[-1], ends[1])
    torch.testing.assert_close(rows[2], ends.mean(0))


def test_a_checkpoint_and_itself(zoo: Zoo, places: Places) -> None:
    checkpoint = siblings(zoo)[0]
    found = connectivity(checkpoint, checkpoint, places, points=4)
    assert found.loss_barrier == pytest.approx(0, abs=1e-6) and found.error_barrier == pytest.approx(0, abs=1e-12)


def test_chunks_do_not_change_it_and_a_second_call_computes_nothing(
    zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = siblings(zoo)
    first, told = connectivity(a, b, places), []
    monkeypatch.setattr(inference, "stack_size", lambda *_: 4)
    back = connectivity(b, a, places, tell=lambda *said: told.append(said))
    assert told == [(0, 11, "points"), (4, 11, "points"), (8, 11, "points"), (11, 11, "points")]
    np.testing.assert_allclose(back.loss[::-1], first.loss, rtol=1e-5)
    assert back.loss_barrier == pytest.approx(first.loss_barrier, abs=1e-5)
    monkeypatch.setattr(module, "_walk", None)
    assert connectivity(a, b, places) == first
    assert json.loads(json.dumps(first.plain(), allow_nan=False))["a"]["member"] == a.member.name


def test_epochs_of_one_member(zoo: Zoo, places: Places) -> None:
    member = siblings(zoo)[0].member
    found = connectivity(member.checkpoint(0), member.checkpoint(2), places, points=3)
    assert (found.a.epoch, found.b.epoch) == (0, 2) and found.loss[0] > found.loss[-1]


def test_impossible_requests(zoo: Zoo, places: Places) -> None:
    (a, b), (linear, _) = siblings(zoo), siblings(zoo, "head = 'linear'")
    contrastive = zoo.checkpoint(zoo.rows("task = 'contrastive' AND is_last")[0]["member"])
    with pytest.raises(InputError) as refused:
        connectivity(a, linear, places)
    assert a.member.name in str(refused.value) and linear.member.name in str(refused.value)
    assert "architecture.head.kind ('mlp' and 'linear')" in str(refused.value)
    with pytest.raises(InputError, match=f"{contrastive.member.name} has no cross-entropy .* contrastive"):
        connectivity(a, contrastive, places)
    for points, split in ((1, "test"), (11, "validation")):
        with pytest.raises(InputError, match="use 2 or more points, and 'test' or 'train'"):
            connectivity(a, b, places, points=points, split=split)
    spoil(b.path / WEIGHTS, "flipped")
    with pytest.raises(IntegrityError, match="another digest"):
        connectivity(a, b, places)
