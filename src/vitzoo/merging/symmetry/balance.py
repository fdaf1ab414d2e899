"""One of all equal factorisations of a head: both factors share the singular values of their product.

Of queries' and keys' factors only the product counts, as of outputs' and values'. The balanced ones are unique up to
signs where the singular values differ, so the freedom that is left between two balanced models is a rotation at most.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from vitzoo.merging.symmetry.inner import drop_key_bias, fold_value_bias, given, taken
from vitzoo.merging.symmetry.residual import centre, depth, fold

Params = Mapping[str, Tensor]


def canonical(params: Params) -> dict[str, Tensor]:
    """Return the model with folded norms, nothing along the ones, and without the two biases that do nothing."""
    found = centre(fold(params))
    for block in range(depth(params)):
        found = fold_value_bias(drop_key_bias(found, block), block)
    return found


def balance(params: Params, heads: int) -> dict[str, Tensor]:
    """Return the canonical model with balanced heads in every block. ValueError if keys or values have biases."""
    found = dict(params)
    for block in range(depth(params)):
        found = _block(found, block, heads)
    return found


def _block(params: Params, block: int, heads: int) -> dict[str, Tensor]:
    weight, bias = taken(params, block, heads)
    if (bias[1:] != 0).any():
        raise ValueError(f"blocks.{block} has biases of keys or values; call canonical first")
    queries, keys = factors(torch.cat([weight[0], bias[0][..., None]], dim=-1), weight[1])
    name = f"blocks.{block}.attn.proj.weight"
    out = params[name].unflatten(1, (heads, -1)).permute(1, 2, 0)  # [H, d_h, D]
    outputs, values = factors(out, weight[2])
    new = torch.stack([queries[..., :-1], keys, values])
    shift = torch.stack([queries[..., -1], bias[1], bias[2]])
    return given(params, block, new, shift) | {name: outputs.permute(2, 0, 1).reshape(params[name].shape)}


def factors(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return a' [..., r, M] and b' [..., r, N] with a'ᵀ b' = aᵀ b, and equal a' a'ᵀ and b' b'ᵀ, which are diagonal."""
    left, upper = torch.linalg.qr(a.mT)
    right, lower = torch.linalg.qr(b.mT)
    u, s, v = torch.linalg.svd(upper @ lower.mT)
    root = s.sqrt()[..., None]
    return root * (left @ u).mT, root * (v @ right.mT)
