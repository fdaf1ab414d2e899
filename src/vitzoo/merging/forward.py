"""A canonical ViT's forward pass, with what alignment looks at: one model, tokens [N, T, D]."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.merging.symmetry.inner import taken
from vitzoo.merging.symmetry.residual import depth

Params = Mapping[str, Tensor]
EPSILON = 1e-6  # of timm's norms


@dataclass(frozen=True)
class Activations:
    """What a model makes of images, layer by layer.

    ``norms``: 2L + 1 outputs of norms [N, T, D]. ``heads``: of each block what each head adds [N, T, H, D].
    ``neurons``: of each block the MLP's hidden neurons before the GELU [N, T, m].
    """

    norms: list[Tensor]
    heads: list[Tensor]
    neurons: list[Tensor]


def activations(params: Params, images: Tensor, heads: int) -> Activations:
    """Run a model whose norms are folded on images [N, 3, S, S], without gradients."""
    found = Activations([], [], [])
    with torch.no_grad():
        x = embed(params, images)
        for i in range(depth(params)):
            found.norms.append(_norm(x))
            found.heads.append(head_outputs(params, i, found.norms[-1], heads))
            x = x + found.heads[-1].sum(dim=2) + params[f"blocks.{i}.attn.proj.bias"]
            found.norms.append(_norm(x))
            name = f"blocks.{i}.mlp"
            found.neurons.append(F.linear(found.norms[-1], params[f"{name}.fc1.weight"], params[f"{name}.fc1.bias"]))
            x = x + F.linear(F.gelu(found.neurons[-1]), params[f"{name}.fc2.weight"], params[f"{name}.fc2.bias"])
        found.norms.append(_norm(x))
    return found


def embed(params: Params, images: Tensor) -> Tensor:
    """Return the tokens [N, T, D] of images, the class token first."""
    weight = params["patch_embed.proj.weight"]
    patches = F.conv2d(images, weight, params["patch_embed.proj.bias"], stride=weight.shape[-1]).flatten(2).mT
    first = params["cls_token"].expand(len(images), -1, -1)
    return torch.cat([first, patches], dim=1) + params["pos_embed"]


def head_outputs(params: Params, block: int, z: Tensor, heads: int) -> Tensor:
    """Return what each head of a block adds to the stream [N, T, H, D], but for the common bias."""
    weight, bias = taken(params, block, heads)
    q, k, v = (torch.einsum("ntd,hed->nhte", z, w) + b[:, None] for w, b in zip(weight, bias, strict=True))
    mixed = F.scaled_dot_product_attention(q, k, v)
    out = params[f"blocks.{block}.attn.proj.weight"].unflatten(1, (heads, -1))
    return torch.einsum("nhte,dhe->nthd", mixed, out)


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON)
