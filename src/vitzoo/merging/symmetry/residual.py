"""The residual stream: norms' factors go into what reads them, means go nowhere, and then it can be turned.

After ``fold`` and ``centre`` every rotation that leaves the vector of ones in place gives the same function, with norms
that are plain: a norm takes away the mean and divides by the length, and neither sees such a rotation.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

Params = Mapping[str, Tensor]
NEAR = 1e-4  # how far from a rotation that keeps the ones a matrix may be, in units of rounding at float32


def depth(params: Params) -> int:
    """Return the number of blocks."""
    return 1 + max(int(name.split(".")[1]) for name in params if name.startswith("blocks."))


def readers(params: Params) -> dict[str, str]:
    """Return which map reads each norm's output, by the names of both without ``.weight``."""
    found = {}
    for i in range(depth(params)):
        found[f"blocks.{i}.norm1"] = f"blocks.{i}.attn.qkv"
        found[f"blocks.{i}.norm2"] = f"blocks.{i}.mlp.fc1"
    return found | {"norm": "head" if "head.weight" in params else "head.0"}


def writers(params: Params) -> list[str]:
    """Name the tensors that are added to the residual stream, or whose first axis is."""
    found = ["patch_embed.proj.weight", "patch_embed.proj.bias"]
    for i in range(depth(params)):
        found += [f"blocks.{i}.{name}.{kind}" for name in ("attn.proj", "mlp.fc2") for kind in ("weight", "bias")]
    return found


TOKENS = ("cls_token", "pos_embed")  # written, too, along their last axis


def fold(params: Params) -> dict[str, Tensor]:
    """Return the model with norms whose weights are one and biases zero; what reads them is changed instead."""
    found = dict(params)
    for norm, reader in readers(params).items():
        weight = params[f"{reader}.weight"]
        found[f"{reader}.bias"] = params[f"{reader}.bias"] + weight @ params[f"{norm}.bias"]
        found[f"{reader}.weight"] = weight * params[f"{norm}.weight"]
        found[f"{norm}.weight"] = torch.ones_like(params[f"{norm}.weight"])
        found[f"{norm}.bias"] = torch.zeros_like(params[f"{norm}.bias"])
    return found


def centre(params: Params) -> dict[str, Tensor]:
    """Return the folded model with nothing along the vector of ones: norms take it away. ValueError if not folded."""
    _check_folded(params)
    found = dict(params)
    for name in writers(params):
        found[name] = params[name] - params[name].mean(dim=0, keepdim=True)
    for name in TOKENS:
        found[name] = params[name] - params[name].mean(dim=-1, keepdim=True)
    for reader in readers(params).values():
        weight = params[f"{reader}.weight"]
        found[f"{reader}.weight"] = weight - weight.mean(dim=1, keepdim=True)
    return found


def rotate(params: Params, rotation: Tensor) -> dict[str, Tensor]:
    """Return the folded model with its residual stream turned by Q [D, D].

    ValueError if the model is not folded, or Q is no rotation (or reflection) that keeps the vector of ones: both would
    change the function, silently.
    """
    _check_folded(params)
    ones, eye = torch.ones(len(rotation), dtype=rotation.dtype), torch.eye(len(rotation), dtype=rotation.dtype)
    if (rotation @ rotation.mT - eye).abs().max() > NEAR:
        raise ValueError("the matrix is not orthogonal")
    if (rotation @ ones - ones).abs().max() > NEAR:
        raise ValueError("the rotation moves the vector of ones, which norms would see")
    return turned(params, rotation)


def turned(params: Params, rotation: Tensor) -> dict[str, Tensor]:
    """Turn what is written and what is read, unchecked; ``rotate`` says when that leaves the function alone."""
    found = dict(params)
    for name in writers(params):
        found[name] = torch.tensordot(rotation, params[name], dims=1)
    for name in TOKENS:
        found[name] = params[name] @ rotation.mT
    for reader in readers(params).values():
        found[f"{reader}.weight"] = params[f"{reader}.weight"] @ rotation.mT
    return found


def keeps_ones(free: Tensor) -> Tensor:
    """Return the matrix [D, D] that is ``free`` [D - 1, D - 1] beside the vector of ones and leaves that in place."""
    basis = beside_ones(len(free) + 1).to(free.dtype)
    size = len(basis)
    return basis @ free @ basis.mT + torch.full((size, size), 1 / size, dtype=free.dtype)


def beside_ones(size: int) -> Tensor:
    """Return an orthonormal basis [D, D - 1] of what is orthogonal to the vector of ones, float64 (Helmert's).

    >>> bool((beside_ones(3).mT @ beside_ones(3) - torch.eye(2)).abs().max() < 1e-12)
    True
    """
    columns = torch.arange(1, size, dtype=torch.float64)
    rows = torch.arange(size, dtype=torch.float64)[:, None]
    raw = torch.where(rows < columns, 1.0, torch.where(rows == columns, -columns, 0.0))
    return raw / torch.sqrt(columns * (columns + 1))


def _check_folded(params: Params) -> None:
    for norm in readers(params):
        if (params[f"{norm}.weight"] != 1).any() or (params[f"{norm}.bias"] != 0).any():
            raise ValueError(f"{norm} is not folded into what reads it; call fold first")
