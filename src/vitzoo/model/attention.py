"""Softmax attention (Vaswani et al. 2017): fused where the device has a fast kernel, explicit where it has not.

On CPU the backward pass of the fused kernel in bf16 takes several times as long as the explicit products
(docs/log.md), so there the four operations are spelled out.
"""

import torch.nn.functional as F
from torch import Tensor


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Mix values v by the similarity of queries q and keys k, all [N, H, T, W], to [N, H, T, W]."""
    if q.device.type == "cpu":
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(dim=-1)
        return weights @ v
    return F.scaled_dot_product_attention(q, k, v)
