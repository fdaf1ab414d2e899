"""Align one ViT with another by what both make of the same images: activation-Procrustes, in one shot, without labels.

The residual stream is turned by the rotation that brings the outputs of all norms together; heads and neurons are
matched by how alike what they do is; within a matched head the factors are turned. All of it are symmetries, so the
aligned model computes what it computed before.
"""

from collections.abc import Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from vitzoo.merging.forward import Activations, activations
from vitzoo.merging.symmetry.balance import balance, canonical
from vitzoo.merging.symmetry.inner import mix_keys, mix_values, taken
from vitzoo.merging.symmetry.residual import beside_ones, depth, keeps_ones, rotate
from vitzoo.merging.symmetry.units import permute_heads, permute_mlp

Params = Mapping[str, Tensor]


def prepared(params: Params, heads: int) -> dict[str, Tensor]:
    """Return the model as alignment takes it: canonical, with balanced heads, in float64."""
    return balance(canonical({name: tensor.double() for name, tensor in params.items()}), heads)


def align(reference: Params, other: Params, images: Tensor, heads: int) -> dict[str, Tensor]:
    """Return ``other`` aligned with ``reference``, both ``prepared``, by their activations on images [N, 3, S, S].

    The function of ``other`` does not change. Linear heads and those of MLPs are left as they are but for the rotation.
    """
    images = images.double()
    seen = activations(reference, images, heads)
    turned = rotate(other, rotation(seen, activations(other, images, heads)))
    return matched(reference, turned, seen, activations(turned, images, heads), heads)


def rotation(a: Activations, b: Activations) -> Tensor:
    """Return the rotation [D, D] of b's stream that brings its norms' outputs nearest to a's and keeps the ones."""
    common = torch.stack([x.flatten(0, 1).mT @ y.flatten(0, 1) for x, y in zip(a.norms, b.norms, strict=True)]).sum(0)
    basis = beside_ones(len(common))
    return keeps_ones(polar(basis.mT @ common @ basis))


def polar(x: Tensor) -> Tensor:
    """Return the orthogonal matrix nearest to x [..., n, n]."""
    u, _, v = torch.linalg.svd(x)
    return u @ v


def matched(reference: Params, other: Params, a: Activations, b: Activations, heads: int) -> dict[str, Tensor]:
    """Return ``other`` with neurons and heads in the order of the reference's, and turned within heads."""
    found = dict(other)
    for i in range(depth(reference)):
        found = permute_mlp(found, i, order(correlation(a.neurons[i], b.neurons[i])))
        found = permute_heads(found, i, order(alike(a.heads[i], b.heads[i])))
        found = _turned_within(reference, found, i, heads)
    return found


def correlation(x: Tensor, y: Tensor) -> Tensor:
    """Return the correlations [m, m] of neurons [N, T, m] over images and tokens."""
    x, y = ((z - z.mean(dim=0)) / z.std(dim=0).clamp(min=1e-12) for z in (x.flatten(0, 1), y.flatten(0, 1)))
    return x.mT @ y / len(x)


def alike(x: Tensor, y: Tensor) -> Tensor:
    """Return the cosines [H, H] between what heads add [N, T, H, D], all images and tokens as one vector."""
    x, y = (torch.nn.functional.normalize(z.movedim(2, 0).flatten(1), dim=1) for z in (x, y))
    return x @ y.mT


def order(likeness: Tensor) -> Tensor:
    """Return which of the second goes where in the first, by greatest total likeness [n, n]."""
    return torch.from_numpy(linear_sum_assignment(likeness.numpy(), maximize=True)[1])


def _turned_within(reference: Params, other: Params, block: int, heads: int) -> dict[str, Tensor]:
    (wa, ba), (wb, bb) = taken(reference, block, heads), taken(other, block, heads)
    qa, qb = (torch.cat([w[0], b[0][..., None]], dim=-1) for w, b in ((wa, ba), (wb, bb)))
    found = mix_keys(other, block, polar(qa @ qb.mT + wa[1] @ wb[1].mT))
    name = f"blocks.{block}.attn.proj.weight"
    oa, ob = (params[name].unflatten(1, (heads, -1)).permute(1, 2, 0) for params in (reference, other))
    return mix_values(found, block, polar(wa[2] @ wb[2].mT + oa @ ob.mT))
