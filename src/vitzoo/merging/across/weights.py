"""Alignment by weights: the residual stream is turned and units are matched so that weights come near, in sweeps.

Without activations it needs no images, and every step brings ‖A - πB‖ down or leaves it. With activations the rotation
brings both together, weights and what norms put out, and neurons are matched by what they do (``Evidence``).
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from vitzoo.merging.across.evidence import Evidence
from vitzoo.merging.across.matching import factors, matched, order, polar
from vitzoo.merging.across.procrustes import common, nearest_rotation
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.residual import TOKENS, depth, readers, writers

Params = Mapping[str, Tensor]
SWEEPS = 15
SHARE = 3.0  # of weights' products against activations', both of length one; tried on nano, see docs/log.md


def align(reference: Params, other: Params, heads: int, sweeps: int = SWEEPS) -> Symmetry:
    """Return what brings the weights of ``other`` near the reference's, both ``prepared``; no images are needed."""
    found = Symmetry.identity(other, heads)
    for _ in range(sweeps):
        moved = found.apply(other)
        found = found.turned(nearest_rotation(shared(reference, moved)))
        step = _units(reference, found.apply(other), heads)
        found = found.then(step)
    return found


def refine(reference: Params, other: Params, evidence: Evidence, heads: int, sweeps: int = 4) -> Symmetry:
    """Return what brings both near: what norms of ``other`` put out, and its weights; both models ``prepared``."""
    seen = common(evidence)
    found = matched(reference, other, evidence, nearest_rotation(seen), heads)
    for _ in range(sweeps):
        near = shared(reference, found.apply(other))
        turn = nearest_rotation(_unit(seen @ found.rotation.mT) + SHARE * _unit(near))
        found = matched(reference, other, evidence, turn @ found.rotation, heads)
    return found


def shared(reference: Params, other: Params) -> Tensor:
    """Return the products [D, D] of all that two models write into the stream and read from it, coordinate by
    coordinate."""
    size = len(reference["norm.weight"])
    found = torch.zeros(size, size, dtype=reference["norm.weight"].dtype)
    for name in writers(reference):
        found += reference[name].reshape(size, -1) @ other[name].reshape(size, -1).mT
    for name in TOKENS:
        found += reference[name].reshape(-1, size).mT @ other[name].reshape(-1, size)
    for reader in readers(reference).values():
        found += reference[f"{reader}.weight"].mT @ other[f"{reader}.weight"]
    return found


def _units(reference: Params, other: Params, heads: int) -> Symmetry:
    """Return the permutations and turns within heads that bring the weights nearest, the stream as it is."""
    identity, blocks = Symmetry.identity(other, heads), range(depth(reference))
    neurons = torch.stack([order(_neurons(reference, other, f"blocks.{i}.mlp")) for i in blocks])
    found = [_heads(reference, other, i, heads) for i in blocks]
    chosen, queries, values = (torch.stack(each) for each in zip(*found, strict=True))
    hidden = None
    if "head.0.weight" in reference:
        hidden = order(_products(reference, other, ("head.0.weight", "head.0.bias"), "head.2.weight"))
    return replace(identity, neurons=neurons, heads=chosen, queries=queries, values=values, hidden=hidden)


def _neurons(reference: Params, other: Params, mlp: str) -> Tensor:
    return _products(reference, other, (f"{mlp}.fc1.weight", f"{mlp}.fc1.bias"), f"{mlp}.fc2.weight")


def _products(reference: Params, other: Params, incoming: tuple[str, str], outgoing: str) -> Tensor:
    """Return the products [m, m] of units' incoming weights and biases and outgoing weights."""
    a, b = (torch.cat([p[incoming[0]], p[incoming[1]][:, None], p[outgoing].mT], dim=1) for p in (reference, other))
    return a @ b.mT


def _heads(reference: Params, other: Params, block: int, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Match heads by how near they come when turned within: the trace of the best turn is a nuclear norm."""
    ours, theirs = factors(reference, block, heads), factors(other, block, heads)
    pairs = [torch.einsum("iax,jbx->ijab", a, b) for a, b in zip(ours, theirs, strict=True)]
    likeness = sum(torch.linalg.svdvals(each).sum(dim=-1) for each in pairs)
    chosen = order(torch.as_tensor(likeness))
    queries, values = (polar(each[torch.arange(heads), chosen]) for each in pairs)
    return chosen, queries, values


def _unit(x: Tensor) -> Tensor:
    return x / x.norm()
