"""The life of a population: it goes on from any epoch to the same bits, and a diverging member harms nobody."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from little_population import LINEAR, MIXED, PROJECTION, VIEWS, population, recipe, trained

from vitzoo.blueprint.schema import Head
from vitzoo.model.layout import Layout
from vitzoo.training import loop
from vitzoo.training.start import from_scratch

GOOD = {"lr": 3e-3, "weight_decay": 0.05}
ALSO_GOOD = {"lr": 1e-3}
WILD = {"optimizer": "sgd", "lr": 50.0, "weight_decay": 10.0}  # grows by a factor of 499 a step
TAME = {"optimizer": "sgd", "lr": 1e-2, "weight_decay": 1e-3}


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(("head", "more"), [(LINEAR, MIXED), (PROJECTION, VIEWS)], ids=["supervised", "contrastive"])
def test_going_on_from_a_copy_gives_the_same_bits(precision: str, head: Head, more: dict[str, Any]) -> None:
    recipes = [recipe(head, **more, **one, epochs=4, schedule="cosine") for one in (GOOD, ALSO_GOOD, TAME)]
    whole = trained(recipes, precision)
    stack = population(recipes, precision)
    interrupted = loop.train(stack, loop.begin(stack, list(map(from_scratch, recipes))))
    half = next(epoch for epoch in interrupted if epoch.number == 2).state.copy()
    interrupted.close()
    rest = list(loop.train(population(recipes, precision), half))
    assert [epoch.number for epoch in rest] == [3, 4]
    for before, after in zip(whole[3:], rest, strict=True):
        assert torch.equal(before.state.flat, after.state.flat)
        assert before.state.moments.keys() == after.state.moments.keys()
        assert all(torch.equal(before.state.moments[n], after.state.moments[n]) for n in before.state.moments)
        assert list(map(timeless, before.metrics)) == list(map(timeless, after.metrics))


def timeless(metrics: dict[str, Any] | None) -> dict[str, Any] | None:
    return metrics and {name: value for name, value in metrics.items() if name != "images_per_second"}


def test_an_epoch_that_was_told_does_not_change_later() -> None:
    stack = population([recipe()], "float32")
    told = []
    for epoch in loop.train(stack, loop.begin(stack, [from_scratch(recipe())])):
        told.append((epoch, epoch.state.flat.clone()))
    assert all(torch.equal(epoch.state.flat, flat) for epoch, flat in told)
    assert not torch.equal(told[0][1], told[1][1])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_diverging_member_harms_nobody(precision: str) -> None:
    good = [recipe(**MIXED, **one, epochs=6) for one in (GOOD, ALSO_GOOD)]
    wild = trained([*good, recipe(**MIXED, **WILD, epochs=6)], precision)
    tame = trained([*good, recipe(**MIXED, **TAME, epochs=6)], precision)
    died = [epoch.number for epoch in wild if epoch.diverged]
    assert died and all(epoch.diverged == [2] for epoch in wild if epoch.diverged)
    assert len(died) == 1
    for with_wild, with_tame in zip(wild, tame, strict=True):
        assert torch.equal(with_wild.state.flat[:2], with_tame.state.flat[:2])
        assert list(map(timeless, with_wild.metrics[:2])) == list(map(timeless, with_tame.metrics[:2]))
        assert with_wild.state.alive == [True, True, with_wild.number < died[0]]
        assert (with_wild.metrics[2] is None) == (with_wild.number > died[0])
    assert wild[died[0]].metrics[2]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("lr", [100.0, 50.0, 20.0, 8.0, 3.0])
def test_a_dead_member_keeps_its_last_finite_weights(precision: str, lr: float) -> None:
    """Also when its gradient there is not finite: the weights of the epoch before may be as large as 1e30."""
    settings = WILD | {"lr": lr}
    epochs = trained([recipe(**ALSO_GOOD, epochs=6), recipe(**settings, epochs=6)], precision)
    died = next(epoch.number for epoch in epochs if epoch.diverged)
    last = epochs[died - 1].state.flat[1]
    assert last.isfinite().all()
    for epoch in epochs[died:]:
        assert torch.equal(epoch.state.flat[1], last), f"lr {lr}: changed in epoch {epoch.number}, died in {died}"
        assert all(moment[1].isfinite().all() for moment in epoch.state.moments.values())


def test_training_ends_when_nobody_is_left() -> None:
    epochs = trained([recipe(**WILD, epochs=40)], "float32")
    assert epochs[-1].diverged == [0]
    assert epochs[-1].number < 40


def test_a_beat_that_raises_stops_the_training() -> None:
    class Enough(Exception):
        pass

    def beat(share: float) -> None:
        beats.append(share)
        if len(beats) == 9:
            raise Enough

    beats: list[float] = []
    stack = population([recipe()], "float32")
    with pytest.raises(Enough):
        list(loop.train(stack, loop.begin(stack, [from_scratch(recipe())]), beat))
    assert len(beats) == 9
    assert all(0 <= share <= 1 for share in beats)


def test_metrics_of_an_epoch() -> None:
    first, *_, last = trained([recipe(schedule="cosine"), recipe(**TAME, schedule="cosine")], "float32")
    start, end = first.metrics[0], last.metrics[0]
    assert start and end
    assert start["train_loss"] is None  # nothing is trained yet
    assert set(start) < set(end)
    assert {"train_loss_clean", "train_acc_clean", "test_loss", "test_acc", "lr_now"} <= set(end)
    assert end["images_per_second"] > 0
    assert 0 < end["lr_now"] < 1e-3


def test_a_population_of_the_wrong_tensors_is_refused() -> None:
    stack = replace(population([recipe()], "float32"))
    tensors = from_scratch(recipe())
    del tensors["blocks.1.norm1.bias"]
    with pytest.raises(ValueError, match=r"blocks\.1\.norm1\.bias"):
        loop.begin(stack, [tensors])
    assert Layout.of(recipe().architecture).width == loop.begin(stack, [from_scratch(recipe())]).flat.shape[1]
