"""The mean of models whose heads count by their products: a head's scores are those of its mean product QᵀK.

Means of factors are not factors of the mean, so factors are stacked, and of the mean product the best approximation of
the heads' width is kept (Eckart and Young, 1936). The result is a plain ViT.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vitzoo.merging.across.mixture import mixture
from vitzoo.merging.symmetry.balance import factors
from vitzoo.merging.symmetry.inner import given, taken, written
from vitzoo.merging.symmetry.residual import depth

Params = Mapping[str, Tensor]


def mean(models: Sequence[Params], heads: int, shares: Sequence[float] | None = None) -> dict[str, Tensor]:
    """Return the mean of canonical models, tensor by tensor, but for the factors of heads; by shares if given."""
    shares = [1 / len(models)] * len(models) if shares is None else list(shares)
    found = mixture(models, torch.tensor(shares, dtype=torch.float64))
    for block in range(depth(models[0])):
        found |= _block(found, models, shares, block, heads)
    return found


def _block(
    found: Params, models: Sequence[Params], shares: Sequence[float], block: int, heads: int
) -> dict[str, Tensor]:
    both, roots = [taken(model, block, heads) for model in models], [share**0.5 for share in shares]
    width, name = both[0][0].shape[2], f"blocks.{block}.attn.proj.weight"
    stacked = [
        [torch.cat([w[0], b[0][..., None]], dim=-1) for w, b in both],
        [w[1] for w, _ in both],
        [written(model, block, heads) for model in models],
        [w[2] for w, _ in both],
    ]
    rows = [torch.cat([r * x for r, x in zip(roots, each, strict=True)], dim=1) for each in stacked]
    queries, keys = (each[:, :width] for each in factors(rows[0], rows[1]))
    outputs, values = (each[:, :width] for each in factors(rows[2], rows[3]))
    nothing = torch.zeros_like(queries[..., -1])
    weight = torch.stack([queries[..., :-1], keys, values])
    shift = torch.stack([queries[..., -1], nothing, nothing])
    return given(found, block, weight, shift) | {name: outputs.permute(2, 0, 1).reshape(found[name].shape)}
