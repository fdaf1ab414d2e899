"""A ViT's forward pass with what alignment looks at; one model, folded, tokens as rows [N·T, …]."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.merging.symmetry.inner import taken
from vitzoo.merging.symmetry.residual import depth
from vitzoo.model.vit import EPS

Params = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Activations:
    """What a model makes of images, layer by layer; rows are tokens, image by image.

    ``norms``: 2L + 1 outputs of norms [N·T, D]. Of each block ``queries``, ``keys`` and ``values`` [N·T, D], head by
    head, the values after attention has mixed them, and ``neurons`` [N·T, m], the MLP's before the GELU. ``hidden``: an
    MLP head's hidden neurons before the ReLU [N, h], of class tokens; none for a linear head.
    """

    norms: list[Tensor]
    queries: list[Tensor]
    keys: list[Tensor]
    values: list[Tensor]
    neurons: list[Tensor]
    hidden: list[Tensor]


@torch.no_grad()
def activations(params: Params, images: Tensor, heads: int) -> Activations:
    """Run a model whose norms are folded on images [N, 3, S, S], in the weights' type."""
    found = Activations([], [], [], [], [], [])
    x = embed(params, images)
    for i in range(depth(params)):
        found.norms.append(rows(normal(x)))
        q, k, mixed = attention(params, i, found.norms[-1].view(x.shape), heads)
        for each, into in ((q, found.queries), (k, found.keys), (mixed, found.values)):
            into.append(each.transpose(1, 2).reshape(-1, x.shape[-1]))
        x = x + applied(params, f"blocks.{i}.attn.proj", found.values[-1]).view(x.shape)
        found.norms.append(rows(normal(x)))
        found.neurons.append(applied(params, f"blocks.{i}.mlp.fc1", found.norms[-1]))
        x = x + applied(params, f"blocks.{i}.mlp.fc2", F.gelu(found.neurons[-1])).view(x.shape)
    last = normal(x)
    found.norms.append(rows(last))
    if "head.0.weight" in params:
        found.hidden.append(applied(params, "head.0", last[:, 0]))
    return found


def embed(params: Params, images: Tensor) -> Tensor:
    """Return the tokens [N, T, D] of images, the class token first."""
    weight = params["patch_embed.proj.weight"]
    patches = F.conv2d(images, weight, params["patch_embed.proj.bias"], stride=weight.shape[-1]).flatten(2).mT
    first = params["cls_token"].expand(len(images), -1, -1)
    return torch.cat([first, patches], dim=1) + params["pos_embed"]


def attention(params: Params, block: int, z: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and mixed values of a block [N, H, T, d_h] for a norm's output z [N, T, D]."""
    weight, bias = taken(params, block, heads)
    q, k, v = (torch.einsum("ntd,hed->nhte", z, w) + b[:, None] for w, b in zip(weight, bias, strict=True))
    return q, k, F.scaled_dot_product_attention(q, k, v)


def applied(params: Params, name: str, x: Tensor) -> Tensor:
    """Return what a linear map makes of rows."""
    return F.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])


def normal(x: Tensor) -> Tensor:
    """Return a norm's output without weight and bias."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS)


def rows(x: Tensor) -> Tensor:
    """Return tokens [N, T, D] as rows [N·T, D]."""
    return x.flatten(0, 1)
