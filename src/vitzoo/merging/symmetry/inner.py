"""Inside a head: queries with keys, and values with outputs, only meet in products; and two biases that do nothing."""

from collections.abc import Mapping

import torch
from torch import Tensor

Params = Mapping[str, Tensor]


def mix_keys(params: Params, block: int, mixing: Tensor) -> dict[str, Tensor]:
    """Return the model with queries mixed by G and keys by its inverse's transpose, in each head: G [H, d_h, d_h]."""
    weight, bias = taken(params, block, len(mixing))
    other = torch.linalg.inv(mixing).mT
    new = torch.stack([mixing @ weight[0], other @ weight[1], weight[2]])
    shift = torch.stack([_of(mixing, bias[0]), _of(other, bias[1]), bias[2]])
    return given(params, block, new, shift)


def mix_values(params: Params, block: int, mixing: Tensor) -> dict[str, Tensor]:
    """Return the model with values mixed by G and outputs by its inverse, in each head: G [H, d_h, d_h]."""
    weight, bias = taken(params, block, len(mixing))
    new = torch.stack([weight[0], weight[1], mixing @ weight[2]])
    shift = torch.stack([bias[0], bias[1], _of(mixing, bias[2])])
    name = f"blocks.{block}.attn.proj.weight"
    out = params[name].unflatten(1, (len(mixing), -1))  # [D, H, d_h]
    mixed = torch.einsum("ahi,hij->ahj", out, torch.linalg.inv(mixing)).reshape(params[name].shape)
    return given(params, block, new, shift) | {name: mixed}


def drop_key_bias(params: Params, block: int) -> dict[str, Tensor]:
    """Return the model without the keys' biases: they add the same to a query's product with every key."""
    name = f"blocks.{block}.attn.qkv.bias"
    bias = params[name].unflatten(0, (3, -1)).clone()
    bias[1] = 0
    return dict(params) | {name: bias.flatten()}


def fold_value_bias(params: Params, block: int) -> dict[str, Tensor]:
    """Return the model with the values' biases moved into the outputs': attention's weights sum to one."""
    name = f"blocks.{block}.attn"
    bias = params[f"{name}.qkv.bias"].unflatten(0, (3, -1)).clone()
    moved = params[f"{name}.proj.bias"] + params[f"{name}.proj.weight"] @ bias[2]
    bias[2] = 0
    return dict(params) | {f"{name}.qkv.bias": bias.flatten(), f"{name}.proj.bias": moved}


def taken(params: Params, block: int, heads: int) -> tuple[Tensor, Tensor]:
    """Return the weights [3, H, d_h, D] and biases [3, H, d_h] of queries, keys and values."""
    name = f"blocks.{block}.attn.qkv"
    return (
        params[f"{name}.weight"].unflatten(0, (3, heads, -1)),
        params[f"{name}.bias"].unflatten(0, (3, heads, -1)),
    )


def written(params: Params, block: int, heads: int) -> Tensor:
    """Return the weights [H, d_h, D] by which each head's mixed values are written to the stream."""
    return params[f"blocks.{block}.attn.proj.weight"].unflatten(1, (heads, -1)).permute(1, 2, 0)


def given(params: Params, block: int, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Return the model with other weights [3, H, d_h, D] and biases [3, H, d_h] of queries, keys and values."""
    name = f"blocks.{block}.attn.qkv"
    return dict(params) | {f"{name}.weight": weight.flatten(0, 2), f"{name}.bias": bias.flatten()}


def _of(matrices: Tensor, vectors: Tensor) -> Tensor:
    return (matrices @ vectors[..., None])[..., 0]
