"""Costs against numbers worked out elsewhere, and their arithmetic."""

import pytest

from vitzoo.blueprint import expand, load
from vitzoo.errors import InputError
from vitzoo.growing.cost import Cost, checkpoint_bytes, cost, default_rate, seconds, total
from vitzoo.growing.estimate import estimate
from vitzoo.growing.plan import make_plan

PAPER = make_plan(load("paper"))


def test_the_papers_zoo() -> None:
    """By hand: 7·90 and 3·90·2 epochs of 1,281,167 images, 240·50 of 50,000; 10·91 + 240·51 checkpoints."""
    pretraining, finetuning = total(PAPER.stage("pretraining")), total(PAPER.stage("finetuning"))
    assert pretraining.training_images == (7 + 3 * 2) * 90 * 1_281_167
    assert finetuning.training_images == 240 * 50 * 50_000
    assert (pretraining.checkpoints, finetuning.checkpoints) == (910, 12_240)
    everything = pretraining + finetuning
    assert everything.members == 250
    assert everything.flop == pytest.approx(5.96e19, rel=0.01)
    assert finetuning.bytes == pytest.approx(1.06e12, rel=0.01)
    assert pretraining.bytes == pytest.approx(80.3e9, rel=0.01)


def test_contrastive_members_see_two_views() -> None:
    supervised, *_, contrastive = PAPER.stage("pretraining")
    assert cost(contrastive).training_flop == 2 * (cost(supervised).training_flop or 0)


def test_a_checkpoint_is_little_more_than_its_parameters() -> None:
    assert 0 < checkpoint_bytes(PAPER.members[0].architecture) - 4 * 22_050_664 < 20_000


def test_unknown_images_make_unknown_flop() -> None:
    overrides = ["finetuning.dataset={source: 'folder:birds', classes: 7}"]
    _, finetuning = expand(load("nano", overrides))
    epochs = finetuning[0].hyperparameters.epochs
    size = sum((epochs + 1) * checkpoint_bytes(r.architecture) for r in finetuning)
    assert total(finetuning) == Cost(240, 240 * (epochs + 1), size, None, None, None)
    assert seconds(finetuning, 1e9) is None
    plan = make_plan(load("nano", overrides))
    assert estimate(plan, 1e9)["total"]["seconds"] is None
    limited = [*overrides, "finetuning.dataset.train_limit=100", "finetuning.dataset.test_limit=10"]
    assert total(expand(load("nano", limited))[1]).training_images == 240 * epochs * 100


def test_seconds_follow_the_rate_of_an_architecture() -> None:
    members = PAPER.members
    base = seconds(members, 1e12)
    assert base is not None
    assert seconds(members, 2e12) == pytest.approx(base / 2)
    assert seconds(members, 1.0, {r.architecture: 1e12 for r in members}) == pytest.approx(base)
    assert default_rate(2) == 2e11


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_is_a_positive_number(rate: float) -> None:
    with pytest.raises(InputError, match="rate"):
        estimate(PAPER, rate)
