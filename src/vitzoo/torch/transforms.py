"""What may be done to a model's weights before they are learned from: changes that leave its function alone.

A transform takes all tensors of a model under timm's names and an ``About``, and returns them changed; any function of
these two will do, as long as pickle can send it to a DataLoader's workers. What is drawn depends on the transform's
seed, the digest of the weights and the loader's epoch, never on the order or the number of workers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.errors import InputError
from vitzoo.merging.across import rebasin
from vitzoo.merging.symmetry.balance import canonical
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.residual import depth, keeps_ones
from vitzoo.merging.symmetry.units import permute_head, permute_heads, permute_mlp

Params = Mapping[str, Tensor]


@dataclass(frozen=True)
class About:
    """What a transform knows of a model: its number of attention heads, the digest of its weights, the epoch."""

    heads: int
    sha256: str
    epoch: int = 0


Transform = Callable[[Params, About], Params]


@dataclass(frozen=True)
class Permute:
    """Puts neurons and attention heads into another order, one for every model and epoch; only copies numbers.

    >>> from vitzoo.torch.transforms import About, Permute
    >>> params = {"blocks.0.mlp.fc1.weight": torch.tensor([[1.0], [2.0]]), "blocks.0.mlp.fc1.bias": torch.zeros(2),
    ...           "blocks.0.mlp.fc2.weight": torch.tensor([[3.0, 4.0]])}
    >>> found = Permute(seed=2, heads=False)(params, About(1, "0" * 64))
    >>> float(found["blocks.0.mlp.fc2.weight"] @ found["blocks.0.mlp.fc1.weight"])
    11.0
    """

    seed: int = 0
    neurons: bool = True
    heads: bool = True

    def __call__(self, params: Params, about: About) -> dict[str, Tensor]:
        draw = rng.stream(self.seed, "permute", about.sha256, about.epoch)
        found = dict(params)
        for block in range(depth(params)):
            if self.neurons:
                found = permute_mlp(found, block, _order(draw, len(params[f"blocks.{block}.mlp.fc1.bias"])))
            if self.heads:
                found = permute_heads(found, block, _order(draw, about.heads))
        if self.neurons and "head.0.bias" in params:
            found = permute_head(found, _order(draw, len(params["head.0.bias"])))
        return found


@dataclass(frozen=True)
class Canonical:
    """Folds norms into what reads them and takes away what does nothing; computed in float64.

    Two models that differ in nothing else come out alike to rounding, which may differ between machines.
    """

    def __call__(self, params: Params, about: About) -> dict[str, Tensor]:
        return _rounded(canonical(_exact(params)), params)


@dataclass(frozen=True)
class Turn:
    """Makes a model canonical and applies a random symmetry of it: all that ``Permute`` does and rotations.

    The residual stream is turned, and within heads queries with keys and values with outputs. Computed in float64;
    rounding may differ between machines, what is drawn does not.
    """

    seed: int = 0

    def __call__(self, params: Params, about: About) -> dict[str, Tensor]:
        draw = rng.stream(self.seed, "turn", about.sha256, about.epoch)
        model = canonical(_exact(params))
        blocks, size = depth(model), len(model["norm.weight"])
        neurons, inside = len(model["blocks.0.mlp.fc1.bias"]), size // about.heads
        element = replace(
            Symmetry.identity(model, about.heads),
            rotation=keeps_ones(_rotations(draw, size - 1)),
            neurons=torch.stack([_order(draw, neurons) for _ in range(blocks)]),
            heads=torch.stack([_order(draw, about.heads) for _ in range(blocks)]),
            queries=_rotations(draw, blocks, about.heads, inside),
            values=_rotations(draw, blocks, about.heads, inside),
            hidden=_order(draw, len(model["head.0.bias"])) if "head.0.bias" in model else None,
        )
        return _rounded(element.apply(model), params)


@dataclass(frozen=True, eq=False)
class Align:
    """Permutes each model to match a reference by weight matching (Git Re-Basin, heads kept whole); in float64.

    ``reference`` holds the tensors of a model of the same shapes, such as ``checkpoint.state_dict()``.
    """

    reference: Params

    def __call__(self, params: Params, about: About) -> dict[str, Tensor]:
        wrong = [name for name in {**self.reference, **params} if _shape(params, name) != _shape(self.reference, name)]
        if wrong:
            raise InputError(
                f"A model cannot be aligned with one of another shape: {wrong[0]!r} is {_shape(params, wrong[0])}, "
                f"the reference's {_shape(self.reference, wrong[0])}. Narrow the condition to models like it."
            )
        return _rounded(rebasin.by_weights(_exact(self.reference), _exact(params), about.heads), params)


def _order(draw: np.random.Generator, count: int) -> Tensor:
    return torch.from_numpy(np.argsort(draw.random(count), kind="stable"))


def _rotations(draw: np.random.Generator, *shape: int) -> Tensor:
    """Draw rotations or reflections [..., n, n], all alike likely (Mezzadri 2007, arXiv math-ph/0609050)."""
    q, r = torch.linalg.qr(torch.from_numpy(draw.standard_normal((*shape, shape[-1]))))
    return q * r.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]


def _exact(params: Params) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in params.items()}


def _rounded(found: Params, like: Params) -> dict[str, Tensor]:
    return {name: found[name].to(like[name].dtype) for name in like}


def _shape(params: Params, name: str) -> list[int] | str:
    return list(params[name].shape) if name in params else "missing"
