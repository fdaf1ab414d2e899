"""What two models make of the same images, as moments: activations are streamed into sums and never kept.

All that alignment needs is how units of one model go with units of the other, so the memory does not depend on the
number of images. Sums are in float64 over chunks in the weights' own type.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitzoo.merging.across.forward import Activations, activations

Params = Mapping[str, Tensor]
TOKENS = 2048  # a chunk of images has at most about so many, or is one image


@dataclass
class Moments:
    """Second moments of units of a model and of another, over rows: sums of products, of squares, and of values.

    ``products`` [n, n], the first model's units along the first axis; ``sums`` and ``squares`` [2, n], of both.
    """

    products: Tensor
    sums: Tensor
    squares: Tensor
    count: int = 0

    @classmethod
    def none(cls, units: int) -> "Moments":
        """Return the moments of no rows."""
        products, sums = (torch.zeros(n, units, dtype=torch.float64) for n in (units, 2))
        return cls(products, sums, torch.zeros_like(sums))

    def add(self, a: Tensor, b: Tensor) -> None:
        """Add rows [N, n] of both models."""
        self.products += (a.mT @ b).double()
        self.sums += torch.stack([x.sum(dim=0, dtype=torch.float64) for x in (a, b)])
        self.squares += torch.stack([x.double().square().sum(dim=0) for x in (a, b)])
        self.count += len(a)

    def correlations(self) -> Tensor:
        """Return the correlations [n, n]; 0 with a unit that does not vary."""
        means = self.sums / self.count
        centred = self.products / self.count - means[0][:, None] * means[1]
        spread = (self.squares / self.count - means**2).clamp(min=0).sqrt()
        return torch.where(spread[0][:, None] * spread[1] > 1e-12, centred / (spread[0][:, None] * spread[1]), 0.0)


@dataclass
class Evidence:
    """How a model's units go with another's, by the names in ``Activations``; one item for each layer of a kind.

    ``own``: of each block the products [2, D, D] of mixed values among themselves, for the length of what heads write.
    """

    norms: list[Moments] = field(default_factory=list)
    queries: list[Moments] = field(default_factory=list)
    keys: list[Moments] = field(default_factory=list)
    values: list[Moments] = field(default_factory=list)
    neurons: list[Moments] = field(default_factory=list)
    hidden: list[Moments] = field(default_factory=list)
    own: list[Tensor] = field(default_factory=list)

    def add(self, a: Activations, b: Activations) -> None:
        """Add what both models made of some images."""
        for kind in KINDS:
            moments, ours, theirs = getattr(self, kind), getattr(a, kind), getattr(b, kind)
            moments += [Moments.none(x.shape[1]) for x in ours[len(moments) :]]
            for each, x, y in zip(moments, ours, theirs, strict=True):
                each.add(x, y)
        grams = [torch.stack([x.mT @ x, y.mT @ y]).double() for x, y in zip(a.values, b.values, strict=True)]
        self.own = [x + y for x, y in zip(self.own, grams, strict=True)] if self.own else grams


KINDS = ("norms", "queries", "keys", "values", "neurons", "hidden")


def gather(reference: Params, others: Sequence[Params], batches: Iterable[Tensor], heads: int) -> list[Evidence]:
    """Return how the reference's units go with those of each other model, on images [N, 3, S, S] in batches.

    All models are folded; the reference is run once for all.
    """
    found = [Evidence() for _ in others]
    tokens = reference["pos_embed"].shape[1]
    for images in batches:
        for chunk in images.to(reference["pos_embed"].dtype).split(max(1, TOKENS // tokens)):
            seen = activations(reference, chunk, heads)
            for evidence, other in zip(found, others, strict=True):
                evidence.add(seen, activations(other, chunk, heads))
    return found
