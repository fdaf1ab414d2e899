"""Git Re-Basin (Ainsworth et al. 2022) for ViTs: units permuted to match, by weights or by activations.

Each way comes twice. The naive one takes every linear map as a dense layer, as the published specification does: units
of queries with keys, and of values with outputs, go anywhere, across heads, and the permuted model computes something
else. The other permutes heads as wholes and units within them, which changes no function. All of a residual stream can
do here is to permute its coordinates, norms' factors with them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.merging.across.evidence import Evidence, Moments
from vitzoo.merging.across.matching import order
from vitzoo.merging.symmetry.residual import TOKENS, depth, readers, writers

Params = Mapping[str, Tensor]
Align = Callable[[Params, Params], dict[str, Tensor]]
SWEEPS = 50  # of all groups at most; a few suffice
GAIN = 1e-6  # what an assignment must gain to be taken, as a share: rounding in float32 gains less


@dataclass(frozen=True)
class Place:
    """Where units lie: ``size`` slices of a tensor along an axis, from ``start`` on."""

    tensor: str
    axis: int
    start: int = 0


@dataclass(frozen=True)
class Group:
    """Units that are permuted together wherever they lie; ``heads`` says how many blocks of them stay together."""

    size: int
    places: tuple[Place, ...]
    heads: int = 1


def by_weights(reference: Params, other: Params, heads: int | None, seed: int = 0) -> dict[str, Tensor]:
    """Return ``other`` permuted by weight matching: groups in random order are matched until none gains.

    Without ``heads`` it is the naive way. Both models are as they are, norms' factors unfolded.
    """
    found, random = dict(other), rng.stream(seed, "weight matching")
    steps = specification(reference, heads)
    for _ in range(SWEEPS):
        gained = False
        for index in random.permutation(len(steps)):
            likeness = [_likeness(reference, found, group) for group in steps[index]]
            orders = _orders(likeness, steps[index][0].heads)
            if _gain(likeness, orders) > GAIN:
                gained = True
                found = _permuted(found, steps[index], orders)
        if not gained:
            break
    return found


def by_activations(reference: Params, other: Params, evidence: Evidence, heads: int | None) -> dict[str, Tensor]:
    """Return ``other`` permuted by activation matching: by the correlations of units on the same images.

    ``evidence`` is of both models folded, heads not balanced. Without ``heads`` it is the naive way.
    """
    found = dict(other)
    for groups, moments in zip(specification(reference, heads), _moments(evidence, heads), strict=True):
        likeness = [torch.stack([each.correlations() for each in some]).sum(dim=0) for some in moments]
        found = _permuted(found, groups, _orders(likeness, groups[0].heads))
    return found


def merge_many(models: Sequence[Params], align: Align, seed: int = 0, sweeps: int = 10) -> list[dict[str, Tensor]]:
    """Align each model with the mean of the others, in random order, until it changes nothing: MergeMany."""
    found, random = [dict(model) for model in models], rng.stream(seed, "merge many")
    for _ in range(sweeps):
        changed = False
        for index in random.permutation(len(found)):
            others = [model for i, model in enumerate(found) if i != index]
            centre = {name: torch.stack([model[name] for model in others]).mean(dim=0) for name in others[0]}
            moved = align(centre, found[index])
            changed = changed or any(not torch.equal(moved[name], found[index][name]) for name in moved)
            found[index] = moved
        if not changed:
            break
    return found


def specification(params: Params, heads: int | None) -> list[list[Group]]:
    """Return the groups that are matched at a time: the stream; of each block the neurons, and what is in its heads."""
    size = len(params["norm.weight"])
    stream = [Place(name, 0) for name in writers(params)] + [Place(name, 2) for name in TOKENS]
    stream += [Place(f"{norm}.{kind}", 0) for norm in readers(params) for kind in ("weight", "bias")]
    stream += [Place(f"{reader}.weight", 1) for reader in readers(params).values()]
    found = [[Group(size, tuple(stream))]]
    for i in range(depth(params)):
        mlp, attn = f"blocks.{i}.mlp", f"blocks.{i}.attn"
        neurons = (Place(f"{mlp}.fc1.weight", 0), Place(f"{mlp}.fc1.bias", 0), Place(f"{mlp}.fc2.weight", 1))
        found.append([Group(len(params[f"{mlp}.fc1.bias"]), neurons)])
        parts = [[Place(f"{attn}.qkv.{kind}", 0, k * size) for kind in ("weight", "bias")] for k in range(3)]
        scores, values = (*parts[0], *parts[1]), (*parts[2], Place(f"{attn}.proj.weight", 1))
        inside = [Group(size, scores, heads or 1), Group(size, values, heads or 1)]
        found += [inside] if heads else [[each] for each in inside]
    if "head.0.weight" in params:
        hidden = (Place("head.0.weight", 0), Place("head.0.bias", 0), Place("head.2.weight", 1))
        found.append([Group(len(params["head.0.bias"]), hidden)])
    return found


def _moments(evidence: Evidence, heads: int | None) -> list[list[list[Moments]]]:
    """Return what each group of the specification is matched by, in its order."""
    found = [[evidence.norms]]
    for neurons, queries, keys, values in zip(
        evidence.neurons, evidence.queries, evidence.keys, evidence.values, strict=True
    ):
        inside = [[queries, keys], [values]]
        found += [[[neurons]], *([inside] if heads else [[each] for each in inside])]
    return found + [[[each]] for each in evidence.hidden]


def _orders(likeness: Sequence[Tensor], heads: int) -> list[Tensor]:
    """Return the best order of the units of each group; the groups' heads go together, units stay in their heads."""
    if heads == 1:
        return [order(each) for each in likeness]
    width = len(likeness[0]) // heads
    blocks = [each.unflatten(0, (heads, width)).unflatten(2, (heads, width)).transpose(1, 2) for each in likeness]
    inside = [[[order(each[i, j]) for j in range(heads)] for i in range(heads)] for each in blocks]
    ranks = torch.arange(width)
    worth = [
        [sum(float(b[i, j][ranks, o[i][j]].sum()) for b, o in zip(blocks, inside, strict=True)) for j in range(heads)]
        for i in range(heads)
    ]
    chosen = order(torch.tensor(worth, dtype=torch.float64)).tolist()
    return [torch.cat([j * width + each[i][j] for i, j in enumerate(chosen)]) for each in inside]


def _gain(likeness: Sequence[Tensor], orders: Sequence[Tensor]) -> float:
    """Return what orders gain over leaving units where they are, as a share of all likeness there is."""
    gain = sum(
        float(each[torch.arange(len(o)), o].sum() - each.diagonal().sum())
        for each, o in zip(likeness, orders, strict=True)
    )
    return gain / (sum(float(each.abs().sum()) for each in likeness) + 1e-300)


def _likeness(reference: Params, other: Params, group: Group) -> Tensor:
    """Return the products [n, n] of units of both models over all places where they lie."""
    pairs = [(_rows(reference, place, group.size), _rows(other, place, group.size)) for place in group.places]
    return torch.stack([a @ b.mT for a, b in pairs]).sum(dim=0)


def _rows(params: Params, place: Place, size: int) -> Tensor:
    """Return the slices of a place as rows [size, …]."""
    return params[place.tensor].narrow(place.axis, place.start, size).movedim(place.axis, 0).reshape(size, -1)


def _permuted(params: Params, groups: Sequence[Group], orders: Sequence[Tensor]) -> dict[str, Tensor]:
    found = dict(params)
    for group, chosen in zip(groups, orders, strict=True):
        for place in group.places:
            tensor = found[place.tensor].clone()
            part = tensor.narrow(place.axis, place.start, group.size)
            part.copy_(part.index_select(place.axis, chosen))
            found[place.tensor] = tensor
    return found
