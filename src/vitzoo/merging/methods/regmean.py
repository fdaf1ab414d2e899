"""RegMean (Jin et al. 2023, arXiv 2212.09849): each linear layer fits what the models' own layers make of their inputs.

In closed form, W = (Σ W_m G_m) (Σ G_m)⁻¹ with G_m the inputs' Gram matrix, its off-diagonal numbers scaled down; a bias
is a weight of an input that is 1. The patch embedding sees the same inputs in every model, so its fit is the mean, and
all that is no linear layer is averaged. Inputs are streamed into Gram matrices and never kept.
"""

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.scoring import Ground
from vitzoo.merging import average
from vitzoo.merging.methods.method import Ingredients, Merged
from vitzoo.model.attention import attend
from vitzoo.model.vit import embed, linear, norm

FLOOR = 1e-6  # added to a Gram matrix's diagonal, a share of its mean: inputs that are always 0 are averaged


def regmean(of: Ingredients, images: int, scale: float) -> Merged:
    """Fit each linear layer to all models' on training images; ``scale`` is that of off-diagonal numbers."""
    if not 0 <= scale <= 1:
        raise InputError(f"Off-diagonal numbers cannot be scaled by {scale:g}; use 0 to 1, such as 0.9.")
    ground, layout = of.training(images), of.layout
    above: dict[str, Tensor] = {}
    below: dict[str, Tensor] = {}
    for i, row in enumerate(of.models):
        params = layout.views(row.to(ground.split.device))
        for name, gram in grams(params, ground).items():
            gram = shrunk(gram.cpu(), scale)
            above[name] = above.get(name, 0.0) + gram @ _joined(params, name).double().cpu()
            below[name] = below.get(name, 0.0) + gram
        of.tell(i + 1, len(of.models))
    found = layout.views(average.uniform(of.models).clone())
    for name, gram in below.items():
        fitted = torch.linalg.solve(gram, above[name])
        found[f"{name}.weight"].copy_(fitted[:-1].mT)
        found[f"{name}.bias"].copy_(fitted[-1])
    return Merged(layout.pack(found))


def shrunk(gram: Tensor, scale: float, floor: float = FLOOR) -> Tensor:
    """Return a Gram matrix [n, n] with off-diagonal numbers scaled and a little added to the diagonal."""
    diagonal = gram.diagonal()
    return scale * gram + torch.diag((1 - scale) * diagonal + floor * diagonal.mean())


@torch.inference_mode()
def grams(params: Mapping[str, Tensor], ground: Ground) -> dict[str, Tensor]:
    """Return the Gram matrices [n + 1, n + 1] of what each linear layer of a model sees, and a 1, float64."""
    arch = ground.recipe.architecture
    stacked = {name: tensor.unsqueeze(0) for name, tensor in params.items()}
    size = max(1, inference.TOKENS[ground.split.device.type] // stacked["pos_embed"].shape[2])
    found: dict[str, Tensor] = {}
    for images, _ in inference.batches(ground.recipe, ground.classes, ground.split, size):
        for name, x in inputs(stacked, images, arch):
            with_one = F.pad(x[0], (0, 1), value=1.0)
            gram = (with_one.mT @ with_one).double()
            found[name] = found[name] + gram if name in found else gram
    return found


def inputs(params: Mapping[str, Tensor], images: Tensor, arch: Backbone) -> Iterator[tuple[str, Tensor]]:
    """Yield each linear layer's name and inputs [K, N, n], for images [1, B, 3, S, S], from first to last."""
    x = embed(params, images, arch)
    k, b, t, d = x.shape
    x = x.view(k, b * t, d)

    def layer(name: str, seen: Tensor) -> Tensor:
        return linear(seen, params[f"{name}.weight"], params[f"{name}.bias"])

    for i in range(arch.depth):
        name = f"blocks.{i}"
        yield f"{name}.attn.qkv", (seen := norm(params, f"{name}.norm1", x))
        qkv = layer(f"{name}.attn.qkv", seen).view(k * b, t, 3, arch.heads, d // arch.heads)
        yield f"{name}.attn.proj", (seen := attend(qkv).reshape(k, b * t, d))
        x = x + layer(f"{name}.attn.proj", seen)
        yield f"{name}.mlp.fc1", (seen := norm(params, f"{name}.norm2", x))
        yield f"{name}.mlp.fc2", (seen := F.gelu(layer(f"{name}.mlp.fc1", seen)))
        x = x + layer(f"{name}.mlp.fc2", seen)
    seen = norm(params, "norm", x.view(k, b, t, d)[:, :, 0])
    if arch.head.kind == "linear":
        yield "head", seen
    else:
        yield "head.0", seen
        yield "head.2", F.relu(layer("head.0", seen))


def _joined(params: Mapping[str, Tensor], name: str) -> Tensor:
    """Return a layer's weights and bias as one matrix [n + 1, O] to multiply inputs by from the right."""
    return torch.cat([params[f"{name}.weight"].mT, params[f"{name}.bias"].unsqueeze(0)])
