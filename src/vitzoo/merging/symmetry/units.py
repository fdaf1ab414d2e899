"""Permutations of neurons and of heads: what reads them is permuted as what writes them."""

from collections.abc import Mapping

import torch
from torch import Tensor

Params = Mapping[str, Tensor]


def permute_mlp(params: Params, block: int, order: Tensor) -> dict[str, Tensor]:
    """Return the model with the hidden neurons of a block's MLP in another order [m]."""
    name = f"blocks.{block}.mlp"
    return dict(params) | {
        f"{name}.fc1.weight": params[f"{name}.fc1.weight"][order],
        f"{name}.fc1.bias": params[f"{name}.fc1.bias"][order],
        f"{name}.fc2.weight": params[f"{name}.fc2.weight"][:, order],
    }


def permute_heads(params: Params, block: int, order: Tensor) -> dict[str, Tensor]:
    """Return the model with a block's heads in another order [H]: their queries, keys, values and outputs together."""
    name, heads = f"blocks.{block}.attn", len(order)
    weight, bias, out = params[f"{name}.qkv.weight"], params[f"{name}.qkv.bias"], params[f"{name}.proj.weight"]
    return dict(params) | {
        f"{name}.qkv.weight": weight.unflatten(0, (3, heads, -1))[:, order].reshape(weight.shape),
        f"{name}.qkv.bias": bias.unflatten(0, (3, heads, -1))[:, order].reshape(bias.shape),
        f"{name}.proj.weight": out.unflatten(1, (heads, -1))[:, order].reshape(out.shape),
    }


def permute_head(params: Params, order: Tensor, scale: Tensor | None = None) -> dict[str, Tensor]:
    """Return the model with the hidden neurons of an MLP head in another order [h], each scaled by a positive number.

    Its activation is the ReLU, which lets positive factors through. ValueError for a linear head, or factors that are
    not positive.
    """
    if "head.0.weight" not in params:
        raise ValueError("a linear head has no hidden neurons")
    scale = torch.ones(len(order), dtype=params["head.0.weight"].dtype) if scale is None else scale
    if not (scale > 0).all():
        raise ValueError("the ReLU lets positive factors through only")
    return dict(params) | {
        "head.0.weight": params["head.0.weight"][order] * scale[:, None],
        "head.0.bias": params["head.0.bias"][order] * scale,
        "head.2.weight": params["head.2.weight"][:, order] / scale,
    }
