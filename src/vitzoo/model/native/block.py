"""The two residual branches of a block as autograd functions: x + keep · branch(norm(x)), with hand-written gradients.

Equal to ``vitzoo.model.vit.block`` but for rounding; a test holds them together. What a backward pass needs and a
pass over memory can compute again (the norm's output, the GELU's, the attention weights) is not kept.

Axes: K members, B images, T tokens, N = B·T, D width, H heads.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from vitzoo.blueprint.schema import Backbone
from vitzoo.model.native.build import why_not
from vitzoo.model.native.calls import call, has, workspace

LANES = 16  # numbers that a kernel works on at a time

ATTENTION = ("norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias")
MLP = ("norm2.weight", "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias")


def fits(arch: Backbone, dtype: torch.dtype) -> bool:
    """Tell whether the kernels can compute an architecture in a dtype: widths must be multiples of 16."""
    widths = (arch.dim, arch.dim // arch.heads, int(arch.dim * arch.mlp_ratio))
    return all(width % LANES == 0 for width in widths) and has(dtype)


def usable(arch: Backbone, dtype: torch.dtype) -> bool:
    """Tell whether this machine has the kernels at all, and they can compute an architecture in a dtype."""
    return why_not() is None and fits(arch, dtype)


def block(params: Mapping[str, Tensor], name: str, x: Tensor, heads: int, keep: Tensor | None = None) -> Tensor:
    """Pass tokens x [K, B, T, D] through one block; ``keep`` [2, S, B] or None as for ``vit.forward``."""
    k, b = x.shape[:2]
    factors = torch.ones(2, k, b) if keep is None else keep.float().expand(2, k, b).contiguous()
    x = x.contiguous()
    x = _AttentionBranch.apply(x, factors[0], heads, *(params[f"{name}.{each}"].contiguous() for each in ATTENTION))
    return _MlpBranch.apply(x, factors[1], *(params[f"{name}.{each}"].contiguous() for each in MLP))


class _AttentionBranch(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, heads: int, *weights: Tensor) -> Tensor:
        gain, shift, w_qkv, b_qkv, w_out, b_out = weights
        k, b, t, d = x.shape
        normal, stats = _norm(x, gain, shift)
        qkv = torch.baddbmm(b_qkv.unsqueeze(1), normal, w_qkv.transpose(1, 2))
        mixed, shares = x.new_empty(k, b * t, d), torch.empty(k * b, heads, t, 2)
        sizes = (k * b, t, heads, d // heads)
        call("attention_forward", x.dtype, qkv, mixed, shares, _scratch(x.dtype, t, d // heads), *sizes)
        ctx.save_for_backward(x, keep, gain, shift, w_qkv, w_out, stats, qkv, mixed, shares)
        return _add(x, torch.bmm(mixed, w_out.transpose(1, 2), out=_like("branch", mixed)), b_out, keep)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, keep, gain, shift, w_qkv, w_out, stats, qkv, mixed, shares = ctx.saved_tensors
        past = grads[0].contiguous()
        d_branch, db_out = _branch_gradient(past, keep)
        dw_out = _weights_gradient(d_branch, mixed)
        d_mixed = torch.bmm(d_branch, w_out, out=_like("normal", mixed))
        d_qkv, heads, t = _like("inner", qkv), shares.shape[1], x.shape[2]
        sizes = (len(shares), t, heads, x.shape[3] // heads)
        call("attention_backward", x.dtype, qkv, d_mixed, shares, d_qkv, _scratch(x.dtype, t, sizes[3]), *sizes)
        dw_qkv = _weights_gradient(d_qkv, _norm_again(x, gain, shift, stats))
        db_qkv = torch.zeros(len(x), qkv.shape[2])
        call("sum_rows", x.dtype, d_qkv, db_qkv, *qkv.shape)
        d_normal = torch.bmm(d_qkv, w_qkv, out=_like("normal", mixed))
        dx, d_gain, d_shift = _norm_gradient(d_normal, x, gain, stats, past)
        d_gain, d_shift, db_qkv, db_out = (each.to(x.dtype) for each in (d_gain, d_shift, db_qkv, db_out))
        return dx, None, None, d_gain, d_shift, dw_qkv, db_qkv, dw_out, db_out


class _MlpBranch(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, *weights: Tensor) -> Tensor:
        gain, shift, w_in, b_in, w_out, b_out = weights
        normal, stats = _norm(x, gain, shift)
        slope = torch.bmm(normal, w_in.transpose(1, 2))
        active = torch.empty_like(slope)
        call("gelu_forward", x.dtype, slope, b_in, active, *slope.shape)
        ctx.save_for_backward(x, keep, gain, shift, w_in, w_out, stats, slope, active)
        return _add(x, torch.bmm(active, w_out.transpose(1, 2), out=_like("branch", normal)), b_out, keep)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, keep, gain, shift, w_in, w_out, stats, slope, active = ctx.saved_tensors
        past = grads[0].contiguous()
        d_branch, db_out = _branch_gradient(past, keep)
        d_hidden = torch.bmm(d_branch, w_out, out=_like("inner", slope))
        db_in = torch.zeros(len(x), slope.shape[2])
        call("gelu_backward", x.dtype, slope, d_hidden, db_in, *slope.shape)
        dw_out = _weights_gradient(d_branch, active)
        normal = _norm_again(x, gain, shift, stats)
        dw_in = _weights_gradient(d_hidden, normal)
        d_normal = torch.bmm(d_hidden, w_in, out=normal)
        dx, d_gain, d_shift = _norm_gradient(d_normal, x, gain, stats, past)
        d_gain, d_shift, db_in, db_out = (each.to(x.dtype) for each in (d_gain, d_shift, db_in, db_out))
        return dx, None, d_gain, d_shift, dw_in, db_in, dw_out, db_out


def _rows(x: Tensor) -> tuple[int, int, int]:
    k, b, t, d = x.shape
    return k, b * t, d


def _like(name: str, tensor: Tensor) -> Tensor:
    return workspace(name, tuple(tensor.shape), tensor.dtype)


def _scratch(dtype: torch.dtype, t: int, width: int) -> Tensor:
    return workspace("scratch", (call("attention_scratch", dtype, t, width),), torch.uint8)


def _norm(x: Tensor, gain: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    sizes = _rows(x)
    normal, stats = workspace("normal", sizes, x.dtype), torch.empty(*sizes[:2], 2)
    call("norm_forward", x.dtype, x, gain, shift, normal, stats, *sizes)
    return normal, stats


def _norm_again(x: Tensor, gain: Tensor, shift: Tensor, stats: Tensor) -> Tensor:
    normal = workspace("normal", _rows(x), x.dtype)
    call("norm_again", x.dtype, x, gain, shift, normal, stats, *_rows(x))
    return normal


def _norm_gradient(
    d_normal: Tensor, x: Tensor, gain: Tensor, stats: Tensor, past: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradient of x, that of its way past the branch included, and those of gain and shift (float32)."""
    dx, d_gain, d_shift = torch.empty_like(x), torch.zeros(gain.shape), torch.zeros(gain.shape)
    call("norm_backward", x.dtype, d_normal, x, gain, stats, past, dx, d_gain, d_shift, *_rows(x))
    return dx, d_gain, d_shift


def _add(x: Tensor, branch: Tensor, bias: Tensor, keep: Tensor) -> Tensor:
    out = torch.empty_like(x)
    call("residual_forward", x.dtype, x, branch, bias, keep, out, *x.shape)
    return out


def _branch_gradient(past: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of a branch's products [K, N, D] and of its bias [K, D] (float32)."""
    d_branch, d_bias = workspace("branch", _rows(past), past.dtype), torch.zeros(past.shape[0], past.shape[3])
    call("residual_backward", past.dtype, past, keep, d_branch, d_bias, *past.shape)
    return d_branch, d_bias


def _weights_gradient(dy: Tensor, x: Tensor) -> Tensor:
    """Return the gradient [K, O, I] of a linear map's weights, of its outputs' gradient [K, N, O] and its input."""
    if torch.get_num_threads() > 1:  # our kernel has one
        return torch.bmm(dy.transpose(1, 2), x)
    (k, n, o), i = dy.shape, x.shape[2]
    dw = x.new_empty(k, o, i)
    scratch = workspace("scratch", (call("weights_scratch", x.dtype, o, i),), torch.uint8)
    call("weights_backward", x.dtype, dy, x, dw, scratch, k, n, o, i)
    return dw
