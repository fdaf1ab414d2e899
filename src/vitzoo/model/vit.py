"""The vision transformer as a function of a dict of tensors with a leading axis K: one code for one and for many.

Architecture: Dosovitskiy et al. (2020), as timm builds it (pre-norm, class token, learned positions, exact GELU,
LayerNorm ε 1e-6, biased qkv); names are timm's. Linear layers are batched matrix products over K, attention folds
K into the batch, the affine part of a norm broadcasts over K.

Axes: K members, B images, T tokens, D width, H attention heads, C outputs; S is 1 where all members see the same
images, else K.
"""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.model.attention import attend, mix
from vitzoo.model.compiled import compiled
from vitzoo.model.native import block as native

EPS = 1e-6

#: What computes a block: torch's operations, fused where it has them; its plain ones, which can be differentiated
#: twice; torch's, compiled and fused into new ones; or the CPU kernels of ``vitzoo.model.native``. They agree but for
#: rounding.
Kernels = Literal["torch", "plain", "compiled", "native"]


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Map x [K, N, I] by weight [K, O, I] and bias [K, O] to [K, N, O], each member by its own."""
    return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))


def norm(params: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    """LayerNorm of x [K, N, D], each member with its own gain and shift."""
    gain, shift = params[f"{name}.weight"].unsqueeze(1), params[f"{name}.bias"].unsqueeze(1)
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=EPS), gain)


def norm_linear(params: Mapping[str, Tensor], before: str, layer: str, x: Tensor) -> Tensor:
    """LayerNorm, then a linear map, of x [K, N, D], each member by its own."""
    return linear(norm(params, before, x), params[f"{layer}.weight"], params[f"{layer}.bias"])


def patches(images: Tensor, size: int) -> Tensor:
    """Cut images [..., B, C, S, S] into flat patches [..., B, T-1, C·size²], channel first as a convolution reads them.

    >>> patches(torch.zeros(5, 3, 8, 8), 4).shape
    torch.Size([5, 4, 48])
    """
    *lead, channels, height, width = images.shape
    grid = images.reshape(*lead, channels, height // size, size, width // size, size)
    n = len(lead)
    order = (*range(n), n + 1, n + 3, n, n + 2, n + 4)
    return grid.permute(order).reshape(*lead, (height // size) * (width // size), channels * size * size)


def embed(params: Mapping[str, Tensor], images: Tensor, arch: Backbone) -> Tensor:
    """Turn images [S, B, 3, H, W] into tokens [K, B, T, D]."""
    weight = params["patch_embed.proj.weight"]
    k, d = weight.shape[0], arch.dim
    cut = patches(images, arch.patch_size)
    b, t = cut.shape[1:3]
    x = linear(cut.flatten(1, 2).expand(k, -1, -1), weight.flatten(2), params["patch_embed.proj.bias"])
    cls = params["cls_token"].expand(k, b, 1, d)
    return torch.cat([cls, x.view(k, b, t, d)], dim=2) + params["pos_embed"]


def self_attention(
    params: Mapping[str, Tensor], block: str, x: Tensor, batch: int, heads: int, kernels: Kernels = "torch"
) -> Tensor:
    """Multi-head self-attention of tokens x [K, B·T, D], norm included, projection not."""
    k, n, d = x.shape
    t, width = n // batch, d // heads
    qkv = norm_linear(params, f"{block}.norm1", f"{block}.attn.qkv", x)
    return attend(qkv.view(k * batch, t, 3, heads, width), fused=kernels != "plain").reshape(k, n, d)


def class_attention(params: Mapping[str, Tensor], block: str, cls: Tensor, x: Tensor, heads: int) -> Tensor:
    """Attention of class tokens [K, B, D] to tokens x [K, B, T, D], norm included, projection not: [K, B, D].

    With one query an image the maps to keys and values can move past the tokens, to where there are few rows: q·(Kz)
    is (Kᵀq)·z, and the mean of values Vz is V of the mean z. So does the norm's gain. What would add the same to all
    scores of a query, the keys' bias and the norm's shift, changes nothing in a softmax.
    """
    k, b, t, d = x.shape
    width = d // heads
    weight, bias = params[f"{block}.attn.qkv.weight"], params[f"{block}.attn.qkv.bias"]
    to_query, to_key, to_value = weight.view(k, 3, heads, width, d).unbind(1)
    gain, shift = (params[f"{block}.norm1.{each}"].unsqueeze(1) for each in ("weight", "bias"))
    query = linear(norm(params, f"{block}.norm1", cls), to_query.flatten(1, 2), bias[:, :d])
    asked = query.view(k, b, heads, width).transpose(1, 2) @ to_key
    asked = asked.transpose(1, 2) * gain.unsqueeze(2)
    normal = F.layer_norm(x, (d,), eps=EPS).view(k * b, t, d)
    seen = mix(asked.reshape(k * b, heads, d), normal, normal, width**-0.5)
    seen = seen.view(k, b, heads, d) * gain.unsqueeze(2) + shift.unsqueeze(2)
    values = seen.transpose(1, 2) @ to_value.transpose(2, 3)
    return values.transpose(1, 2).reshape(k, b, d) + bias[:, 2 * d :].unsqueeze(1)


def mlp(params: Mapping[str, Tensor], block: str, x: Tensor) -> Tensor:
    """Two linear maps with a GELU between, of tokens x [K, N, D], norm included."""
    inner = F.gelu(norm_linear(params, f"{block}.norm2", f"{block}.mlp.fc1", x))
    return linear(inner, params[f"{block}.mlp.fc2.weight"], params[f"{block}.mlp.fc2.bias"])


def head(params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Map class tokens x [K, B, D] to outputs [K, B, C] by a linear head or an MLP head, told apart by its names."""
    if "head.weight" in params:
        return norm_linear(params, "norm", "head", x)
    inner = F.relu(norm_linear(params, "norm", "head.0", x))
    return linear(inner, params["head.2.weight"], params["head.2.bias"])


def block(
    params: Mapping[str, Tensor],
    name: str,
    x: Tensor,
    heads: int,
    keep: Tensor | None = None,
    kernels: Kernels = "torch",
) -> Tensor:
    """Pass tokens x [K, B, T, D] through one block; ``keep`` [2, S, B] and ``kernels`` as for ``forward``."""
    if kernels == "native":
        return native.block(params, name, x, heads, keep)
    if kernels == "compiled":
        return compiled(block)(own(params, name), "block", x, heads, keep)
    k, b, t, d = x.shape
    x = x.reshape(k, b * t, d)
    return add_branches(params, name, x, self_attention(params, name, x, b, heads, kernels), t, keep).view(k, b, t, d)


def last_block(
    params: Mapping[str, Tensor],
    name: str,
    x: Tensor,
    heads: int,
    keep: Tensor | None = None,
    kernels: Kernels = "torch",
) -> Tensor:
    """Pass tokens x [K, B, T, D] through the last block as far as it matters: to class tokens [K, B, D].

    Only they reach the head, so only they ask (one query an image), and only they go through the rest. The result is
    that of ``block``, for a hundredth of its products.
    """
    if kernels == "compiled":
        return compiled(last_block)(own(params, name), "block", x, heads, keep)
    cls = x[:, :, 0]
    return add_branches(params, name, cls, class_attention(params, name, cls, x, heads), 1, keep)


def add_branches(
    params: Mapping[str, Tensor], name: str, x: Tensor, mixed: Tensor, t: int, keep: Tensor | None
) -> Tensor:
    """Add to x [K, B·t, D] the projection of what attention ``mixed``, then the MLP of the sum."""
    y = linear(mixed, params[f"{name}.attn.proj.weight"], params[f"{name}.attn.proj.bias"])
    x = x + (y if keep is None else drop(y, keep[0], t))
    y = mlp(params, name, x)
    return x + (y if keep is None else drop(y, keep[1], t))


def own(params: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return a block's tensors under names that all blocks share, so that one compilation serves them all."""
    return {f"block.{each}": params[f"{name}.{each}"] for each in (*native.ATTENTION, *native.MLP)}


def forward(
    params: Mapping[str, Tensor],
    images: Tensor,
    arch: Backbone,
    keep: Tensor | None = None,
    kernels: Kernels = "torch",
) -> Tensor:
    """Compute the outputs of a population.

    Args:
        params: tensors [K, *shape] under timm's names, all of one dtype.
        images: [S, B, 3, H, W], same dtype as the parameters.
        arch: the architecture.
        keep: [depth, 2, S, B] factors of the residual branches (0 or 1/keep rate), the stochastic depth of
            Huang et al. (2016) drawn by the caller; None keeps everything.
        kernels: what computes the blocks.

    Returns:
        Outputs [K, B, C] in the parameters' dtype.
    """
    x = embed(params, images, arch)
    for i in range(arch.depth):
        step = block if i < arch.depth - 1 else last_block
        x = step(params, f"blocks.{i}", x, arch.heads, None if keep is None else keep[i], kernels)
    return head(params, x)


def drop(branch: Tensor, keep: Tensor, t: int) -> Tensor:
    """Scale the residual branch [K, B·T, D] of each image by its factor keep [S, B]."""
    k, n, d = branch.shape
    return (branch.view(k, n // t, t * d) * keep.to(branch.dtype).unsqueeze(-1)).view(k, n, d)
