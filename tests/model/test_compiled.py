"""A compiled block is the block; one compilation serves all layers."""

import pytest
import torch

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.model.init import initial
from vitzoo.model.vit import forward

pytestmark = pytest.mark.slow  # compiling takes some twenty seconds


@pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
@pytest.mark.parametrize("dropped", [False, True])
def test_compiled_blocks_give_the_same_outputs_and_gradients(dropped):
    arch = Backbone(image_size=8, patch_size=4, dim=32, depth=3, heads=2, head=Head(kind="linear", outputs=5))
    drawn = [initial(arch, seed) for seed in range(2)]
    params = {name: torch.stack([each[name] for each in drawn]).requires_grad_() for name in drawn[0]}
    images, keep = torch.randn(1, 4, 3, 8, 8), torch.rand(3, 2, 1, 4) if dropped else None
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    found = [forward(params, images, arch, keep, kernels) for kernels in ("compiled", "torch")]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] - before == 2  # a block, and the last one
    torch.testing.assert_close(*found)
    grads = [torch.autograd.grad(out.square().sum(), list(params.values())) for out in found]
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(forward(params, images, arch, keep, "compiled"), found[1])
