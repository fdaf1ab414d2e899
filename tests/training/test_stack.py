"""A member trained in a stack is the member trained alone, whatever its siblings are told."""

from typing import Any

import pytest
import torch
from little_population import (
    LINEAR,
    MIXED,
    MLP,
    OPTIMIZERS,
    PROJECTION,
    VIEWS,
    population,
    recipe,
    splits,
    trained,
    without_key_bias,
)

from vitzoo.blueprint.schema import Head
from vitzoo.training import loop
from vitzoo.training.start import from_scratch

SEEDS = (7, 8, 7, 9, 9, 7)
KINDS = {"linear": (LINEAR, MIXED), "mlp": (MLP, MIXED), "contrastive": (PROJECTION, VIEWS)}


def stack(head: Head, more: dict[str, Any]) -> list:
    """Six members in three streams of batches: seeds may differ in a stack."""
    return [recipe(head, **more, **settings, seed=seed) for settings, seed in zip(OPTIMIZERS, SEEDS, strict=True)]


def starts(recipes: list) -> list[dict[str, torch.Tensor]]:
    """Different tensors for every member, as fine-tuning from different parents has."""
    generator = torch.Generator().manual_seed(0)
    return [
        {name: tensor + 0.02 * torch.randn(tensor.shape, generator=generator) for name, tensor in one.items()}
        for one in map(from_scratch, recipes)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "bound"), [("float64", 1e-11), ("float32", 2e-5), ("bf16", 2e-2)])
def test_stack_equals_single(kind: str, precision: str, bound: float) -> None:
    """``bound`` is on the difference relative to how far the member moved; bf16 has 8 bits, and sums in any order."""
    head, more = KINDS[kind]
    recipes = stack(head, more)
    begun = starts(recipes)
    together = trained(recipes, precision, begun)[-1]
    for k, (one, start) in enumerate(zip(recipes, begun, strict=True)):
        alone = trained([one], precision, [start])[-1]
        before = loop.begin(population([one], precision), [start]).flat
        ours = without_key_bias(together.state.flat[k : k + 1], head)
        theirs = without_key_bias(alone.state.flat, head)
        moved = (theirs - without_key_bias(before, head)).norm()
        assert moved > 1e-3
        assert (ours - theirs).norm() <= bound * moved
        mine, its = together.metrics[k], alone.metrics[0]
        assert mine and its
        for name in ("train_loss", "test_loss", "train_loss_clean"):
            assert mine[name] == pytest.approx(its[name], rel=bound)


def test_nobody_trains_on_an_incomplete_batch() -> None:
    one = population([recipe(batch_size=32)], "float32")
    assert (len(splits()[0]), one.steps) == (80, 2)
