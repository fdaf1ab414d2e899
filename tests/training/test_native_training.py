"""Training with the CPU kernels is the training with torch's, but for rounding."""

from dataclasses import replace

import pytest
import torch
from little_population import LINEAR, MIXED, MLP, OPTIMIZERS, PROJECTION, VIEWS, backbone, population, recipe

from vitzoo.model.native.block import fits
from vitzoo.model.native.build import why_not
from vitzoo.training import loop
from vitzoo.training.start import from_scratch

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no native kernels: {why_not()}")

KINDS = {"linear": (LINEAR, MIXED), "mlp": (MLP, MIXED), "contrastive": (PROJECTION, VIEWS)}


def trained(kind: str, precision: str, kernels: str, micro: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return first and last weights [K, P] of a stack in three streams, with widths that the kernels take."""
    head, more = KINDS[kind]
    arch = backbone(head, dim=32)
    settings = zip(OPTIMIZERS, (7, 8, 7, 9, 9, 7), strict=True)
    recipes = [
        recipe(head, **more, **each, seed=seed).model_copy(update={"architecture": arch}) for each, seed in settings
    ]
    stack = population(recipes, precision)
    stack = replace(stack, compute=replace(stack.compute, kernels=kernels, micro=micro))
    state = loop.begin(stack, list(map(from_scratch, recipes)))
    first = state.flat.clone()
    torch.set_num_threads(1)
    *_, last = loop.train(stack, state)
    return first, last.state.flat


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "bound"), [("float32", 2e-3), ("bf16", 0.2)])
@pytest.mark.parametrize("micro", [None, 60])
def test_trained_weights_differ_by_rounding(kind, precision, bound, micro):
    arch = backbone(KINDS[kind][0], dim=32)
    if not fits(arch, torch.bfloat16 if precision == "bf16" else torch.float32):
        pytest.skip(f"no native kernels for {precision} on this processor")
    first, wanted = trained(kind, precision, "torch", None)
    _, found = trained(kind, precision, "native", micro)
    moved = (wanted - first).norm(dim=1)
    assert ((found - wanted).norm(dim=1) < bound * moved).all()
    assert (moved > 0).all()
