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
    return mix(q, k, v, q.shape[-1] ** -0.5).transpose(1, 2)


def mix(queries: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """Average values [..., T, W] by softmax(scale · queries keysᵀ), spelled out: queries [..., Q, V], keys [..., T, V].

    >>> mix(torch.zeros(2, 1, 4), torch.zeros(2, 5, 4), torch.ones(2, 5, 8), 0.5).shape
    torch.Size([2, 1, 8])
    """
    scores = queries * scale @ keys.transpose(-1, -2)
    wide = torch.promote_types(scores.dtype, torch.float32)
    return scores.softmax(dim=-1, dtype=wide).to(scores.dtype) @ values
