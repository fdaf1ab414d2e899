"""Softmax attention (Vaswani et al. 2017): fused where the device has a fast kernel, explicit where it has not.

On CPU the backward pass of the fused kernel in bf16 takes several times as long as the explicit products, and a bf16
softmax as long as all of them. So there the operations are spelled out and the softmax is float32 (docs/log.md).

Axes: N images of all members, T tokens, H heads, W width of a head.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def attend(qkv: Tensor, fused: bool = True) -> Tensor:
    """Mix values by the similarity of queries and keys: qkv [N, T, 3, H, W] to [N, T, H, W].

    ``fused=False`` keeps to the explicit operations everywhere: fused kernels cannot be differentiated twice.

    >>> attend(torch.zeros(2, 5, 3, 4, 8)).shape
    torch.Size([2, 5, 4, 8])
    """
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    if fused and qkv.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
    return mix(q, k, v).transpose(1, 2)


def attend_to(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Mix values by the similarity of one query an image and its keys: [N, 1, H, W], [N, T, H, W] twice to [N, H, W].

    >>> attend_to(torch.zeros(2, 1, 4, 8), torch.zeros(2, 5, 4, 8), torch.zeros(2, 5, 4, 8)).shape
    torch.Size([2, 4, 8])
    """
    return mix(*(each.transpose(1, 2) for each in (query, keys, values))).squeeze(2)


def mix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Spell attention out: any number of queries q [N, H, Q, W], keys and values [N, H, T, W], to [N, H, Q, W]."""
    scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
    wide = torch.promote_types(scores.dtype, torch.float32)
    return scores.softmax(dim=-1, dtype=wide).to(scores.dtype) @ v
