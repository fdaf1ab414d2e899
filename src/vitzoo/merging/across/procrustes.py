"""Align a ViT with another by what both make of the same images: activation-Procrustes, in one shot, without labels.

The residual stream is turned by the rotation that brings the outputs of all norms together (Schönemann, 1966); heads
and neurons are matched by how alike what they do is; within a matched head the factors are turned. All of it are
symmetries, so the aligned model computes what it computed before.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from vitzoo.merging.across.evidence import Evidence
from vitzoo.merging.across.matching import matched, polar
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.residual import beside_ones, keeps_ones

Params = Mapping[str, Tensor]


def align(reference: Params, other: Params, evidence: Evidence, heads: int) -> Symmetry:
    """Return what aligns ``other`` with ``reference``, both ``prepared``, by how their units go together."""
    rotation = nearest_rotation(common(evidence))
    return matched(reference, other, evidence, rotation, heads)


def common(evidence: Evidence) -> Tensor:
    """Return the products [D, D] of what both models' norms put out, summed over norms, a mean over tokens."""
    return torch.stack([each.products / each.count for each in evidence.norms]).sum(dim=0)


def nearest_rotation(products: Tensor) -> Tensor:
    """Return the rotation Q [D, D] that keeps the ones and for which tr(Qᵀ C) of products C is greatest."""
    basis = beside_ones(len(products))
    return keeps_ones(polar(basis.mT @ products @ basis))
