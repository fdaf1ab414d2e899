"""An element of a ViT's symmetry group as data: it can be applied to models, composed, inverted and kept.

The group acts on canonical models (``balance.canonical``): the residual stream is turned, neurons and heads are
permuted, and within heads queries are mixed with keys and values with outputs. An element found for a backbone can be
applied to everything that was fine-tuned from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vitzoo.merging.symmetry.inner import mix_keys, mix_values
from vitzoo.merging.symmetry.residual import depth, rotate
from vitzoo.merging.symmetry.units import permute_head, permute_heads, permute_mlp

Params = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Symmetry:
    """What is done to a model of L blocks with H heads of d_h, in this order.

    rotation: [D, D], of the residual stream; keeps the vector of ones.
    neurons: [L, m], which neuron of each MLP comes where. heads: [L, H], likewise.
    queries, values: [L, H, d_h, d_h], the mixing of queries (keys get its inverse's transpose) and of values (outputs
        get its inverse) in each head, heads in their new order.
    hidden: [h], which hidden neuron of an MLP head comes where; ``None`` leaves the head alone.
    """

    rotation: Tensor
    neurons: Tensor
    heads: Tensor
    queries: Tensor
    values: Tensor
    hidden: Tensor | None = None

    @classmethod
    def identity(cls, params: Params, heads: int) -> "Symmetry":
        """Return the element that changes nothing of models of this one's shape, in its type."""
        blocks, size, kind = depth(params), len(params["norm.weight"]), params["norm.weight"].dtype
        neurons = len(params["blocks.0.mlp.fc1.bias"])
        inside = torch.eye(size // heads, dtype=kind).expand(blocks, heads, -1, -1)
        return cls(
            torch.eye(size, dtype=kind),
            torch.arange(neurons).expand(blocks, -1),
            torch.arange(heads).expand(blocks, -1),
            inside,
            inside,
        )

    def apply(self, params: Params) -> dict[str, Tensor]:
        """Return a canonical model, changed. ValueError as ``rotate``."""
        found = rotate(params, self.rotation)
        for i in range(len(self.neurons)):
            found = permute_heads(permute_mlp(found, i, self.neurons[i]), i, self.heads[i])
            found = mix_values(mix_keys(found, i, self.queries[i]), i, self.values[i])
        return found if self.hidden is None else permute_head(found, self.hidden)

    def then(self, other: "Symmetry") -> "Symmetry":
        """Return the element that does this and then the other."""
        hidden = [each.hidden for each in (self, other) if each.hidden is not None]
        return Symmetry(
            other.rotation @ self.rotation,
            self.neurons.gather(1, other.neurons),
            self.heads.gather(1, other.heads),
            other.queries @ _reordered(self.queries, other.heads),
            other.values @ _reordered(self.values, other.heads),
            hidden[0][hidden[1]] if len(hidden) == 2 else hidden[0] if hidden else None,
        )

    def inverse(self) -> "Symmetry":
        """Return the element that undoes this one."""
        back = self.heads.argsort(dim=1)
        return Symmetry(
            self.rotation.mT,
            self.neurons.argsort(dim=1),
            back,
            _reordered(torch.linalg.inv(self.queries), back),
            _reordered(torch.linalg.inv(self.values), back),
            None if self.hidden is None else self.hidden.argsort(),
        )

    def turned(self, rotation: Tensor) -> "Symmetry":
        """Return this, and then a rotation [D, D] of the residual stream."""
        return replace(self, rotation=rotation @ self.rotation)


def _reordered(mixing: Tensor, order: Tensor) -> Tensor:
    """Return matrices [L, H, d_h, d_h] in another order of heads [L, H]."""
    return mixing[torch.arange(len(order))[:, None], order]
