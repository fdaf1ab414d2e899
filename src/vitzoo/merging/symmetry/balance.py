"""One of all equal factorisations of a head: both factors share the singular values of their product.

Of queries' and keys' factors only the product counts, as of outputs' and values'. The balanced ones are unique up to
signs where the singular values differ, so the freedom that is left between two balanced models is a rotation at most.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.inner import drop_key_bias, fold_value_bias, taken, written
from vitzoo.merging.symmetry.residual import centre, depth, fold

Params = Mapping[str, Tensor]
RANK = 1e-10  # of a factor's largest singular value: less is none


def canonical(params: Params) -> dict[str, Tensor]:
    """Return the model with folded norms, nothing along the ones, and without the two biases that do nothing."""
    found = centre(fold(params))
    for block in range(depth(params)):
        found = fold_value_bias(drop_key_bias(found, block), block)
    return found


def balance(params: Params, heads: int) -> dict[str, Tensor]:
    """Return the canonical model with balanced heads in every block; errors as ``balancing``."""
    return balancing(params, heads).apply(params)


def balancing(params: Params, heads: int) -> Symmetry:
    """Return the symmetry that balances the heads of a canonical model.

    ValueError if keys or values have biases, or a head's factors lack rank, so that there is nothing to balance by.
    """
    found = [_block(params, block, heads) for block in range(depth(params))]
    queries, values = (torch.stack(each) for each in zip(*found, strict=True))
    return replace(Symmetry.identity(params, heads), queries=queries, values=values)


def _block(params: Params, block: int, heads: int) -> tuple[Tensor, Tensor]:
    weight, bias = taken(params, block, heads)
    if (bias[1:] != 0).any():
        raise ValueError(f"blocks.{block} has biases of keys or values; call canonical first")
    out = written(params, block, heads)
    pairs = ((torch.cat([weight[0], bias[0][..., None]], dim=-1), weight[1]), (weight[2], out))
    for a, b in pairs:
        if not _full(a) or not _full(b):
            raise ValueError(f"a head of blocks.{block} has factors of less than full rank")
    queries, values = (mixing(a, b) for a, b in pairs)
    return queries, values


def mixing(a: Tensor, b: Tensor) -> Tensor:
    """Return G [..., r, r] for which G a and G⁻ᵀ b share their singular values; a [..., r, M], b [..., r, N]."""
    _, upper = torch.linalg.qr(a.mT)
    _, lower = torch.linalg.qr(b.mT)
    u, s, _ = torch.linalg.svd(upper @ lower.mT)
    return s.sqrt()[..., None] * u.mT @ torch.linalg.inv(upper).mT


def _full(factor: Tensor) -> bool:
    """Say whether factors [H, r, M] have rank r, far enough above rounding."""
    found = torch.linalg.svdvals(factor)
    return bool((found[:, -1] > RANK * found[:, 0]).all())


def factors(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return a' [..., r, M] and b' [..., r, N] with a'ᵀ b' = aᵀ b, and equal a' a'ᵀ and b' b'ᵀ, diagonal and falling.

    Their first few rows are the best approximation of the product by so few (Eckart and Young, 1936). There are no more
    rows than M or N.
    """
    left, upper = torch.linalg.qr(a.mT)
    right, lower = torch.linalg.qr(b.mT)
    u, s, v = torch.linalg.svd(upper @ lower.mT, full_matrices=False)
    root = s.sqrt()[..., None]
    return root * (left @ u).mT, root * (v @ right.mT)
