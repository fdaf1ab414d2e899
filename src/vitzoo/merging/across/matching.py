"""Which unit goes with which: assignments of greatest total likeness, for neurons and heads, and turns within heads."""

from collections.abc import Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from vitzoo.merging.across.evidence import Evidence
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.inner import taken, written
from vitzoo.merging.symmetry.residual import depth, turned
from vitzoo.merging.symmetry.units import permute_heads

Params = Mapping[str, Tensor]


def order(likeness: Tensor) -> Tensor:
    """Return which of the second goes where in the first, by greatest total likeness [n, n]."""
    return torch.from_numpy(linear_sum_assignment(likeness.numpy(), maximize=True)[1])


def matched(reference: Params, other: Params, evidence: Evidence, rotation: Tensor, heads: int) -> Symmetry:
    """Return the symmetry that turns ``other`` and then matches its units with the reference's, both ``prepared``."""
    moved = turned(other, rotation)
    blocks = range(depth(reference))
    neurons = torch.stack([order(each.correlations()) for each in evidence.neurons])
    chosen = torch.stack([order(alike(reference, moved, evidence, i, heads)) for i in blocks])
    inside = [within(reference, permute_heads(moved, i, chosen[i]), i, heads) for i in blocks]
    queries, values = (torch.stack(each) for each in zip(*inside, strict=True))
    hidden = order(evidence.hidden[0].correlations()) if evidence.hidden else None
    return Symmetry(rotation, neurons, chosen, queries, values, hidden)


def alike(reference: Params, other: Params, evidence: Evidence, block: int, heads: int) -> Tensor:
    """Return the cosines [H, H] between what heads add to the stream, all images and tokens as one vector.

    What a head adds is its outputs' map of its mixed values, so its products follow from those of the values:
    Σ (O m)·(O' m') = tr(Oᵀ O' Σ m' mᵀ).
    """
    ours, theirs = (written(params, block, heads).mT for params in (reference, other))  # [H, D, d_h]
    both = torch.einsum("ida,jdb,ijab->ij", ours, theirs, _blocks(evidence.values[block].products, heads))
    lengths = [
        torch.einsum("ida,idb,iiab->i", maps, maps, _blocks(own, heads)).clamp(min=1e-24).sqrt()
        for maps, own in zip((ours, theirs), evidence.own[block], strict=True)
    ]
    return both / (lengths[0][:, None] * lengths[1])


def within(reference: Params, other: Params, block: int, heads: int) -> tuple[Tensor, Tensor]:
    """Return the rotations [H, d_h, d_h] of queries and of values that bring a block's factors to the reference's."""
    pairs = zip(factors(reference, block, heads), factors(other, block, heads), strict=True)
    queries, values = (polar(a @ b.mT) for a, b in pairs)
    return queries, values


def factors(params: Params, block: int, heads: int) -> tuple[Tensor, Tensor]:
    """Return queries beside keys, and values beside outputs, head by head: [H, d_h, 2D + 1] and [H, d_h, 2D]."""
    weight, bias = taken(params, block, heads)
    values = torch.cat([weight[2], written(params, block, heads)], dim=-1)
    return torch.cat([weight[0], bias[0][..., None], weight[1]], dim=-1), values


def polar(x: Tensor) -> Tensor:
    """Return the orthogonal matrix nearest to x [..., n, n]."""
    u, _, v = torch.linalg.svd(x)
    return u @ v


def _blocks(products: Tensor, heads: int) -> Tensor:
    """Return a matrix [D, D] of products between heads' values as [H, H, d_h, d_h]."""
    return products.unflatten(0, (heads, -1)).unflatten(2, (heads, -1)).transpose(1, 2)
