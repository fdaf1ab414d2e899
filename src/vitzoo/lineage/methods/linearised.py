"""Whose child a model is, judged by what it makes of images: Neural Lineage without learning.

Yu and Wang, "Neural Lineage" (CVPR 2024, arXiv 2406.11129): near a parent p its child c is almost p's linearisation,
f_lin(x) = f_p(x) + J_p(x) (θ_c - θ_p), so of some candidates the parent is the one whose f_lin represents images most
like f_c does. The paper also has a variant that learns to tell, which is not this one.

What the method leaves open is settled here. f are the backbone's features, the class token after the final norm:
heads differ in shape, and a child's is drawn anew. Representations are alike by linear CKA, debiased and in minibatches
as everywhere in this package. J_p is exact, by forward differentiation of torch's plain operations; a pair costs about
as much as four or five forward passes over the images.

The paper only ranks candidates that are given. It needs the parent among them and the direction known. The tree on
top is ours: in each family, the directed tree of greatest total similarity.

Axes as in ``vitzoo.model.vit``; n models, m pairs of them, Q numbers in a signature (``measures.representation.cka``).
"""

import warnings
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.lineage.methods.arborescence import arborescence
from vitzoo.lineage.methods.mother import each
from vitzoo.measures.inference import SMALLEST, TOKENS
from vitzoo.measures.representation.cka import minibatches, signatures
from vitzoo.measures.scopes import is_head
from vitzoo.model.shapes import hidden, tokens
from vitzoo.model.vit import block, embed, last_block, norm

BATCH = 128  # images in a minibatch of CKA
MEMORY = 1 << 29  # bytes of weights, and as many of activations, that pairs in work may take, unless one takes more
LIVE = 8  # numbers alive per token and unit of the widest activations, with their derivatives

Params = Mapping[str, Tensor]


def similarities(params: Params, images: Tensor, architecture: Backbone, candidates: np.ndarray) -> np.ndarray:
    """Return the CKA [n, n] of child c linearised at parent p with the true c, at [p, c]; NaN where not asked.

    Args:
        params: backbones [n, *shape] under timm's names, of one type; heads, if there are any, are ignored.
        images: [1, B, 3, S, S] of that type, at least four, in random order, prepared as for ``vit.forward``.
        architecture: that of the backbones.
        candidates: which pairs (p, c) to compare, bool [n, n].

    Where a representation does not differ between images the similarity is 0. InputError if there are too few images.
    """
    backbones = {name: tensor for name, tensor in params.items() if not is_head(name)}
    parts = minibatches(images.shape[1], BATCH)
    size = together(backbones, architecture, images)
    found = np.full(candidates.shape, np.nan)
    true = [
        signed(features(taken(backbones, which), images, architecture), parts)
        for (which,) in _cut(size, np.arange(len(candidates)))
    ]
    own = torch.cat(true) if true else torch.zeros(0, 0)
    for p, c in _cut(size, *np.nonzero(candidates)):
        seen = signed(linear(taken(backbones, p), taken(backbones, c), images, architecture), parts)
        found[p, c] = (seen * own[c]).sum(-1).nan_to_num(nan=0.0).cpu().numpy()
    return found


def linearised(similarity: np.ndarray, families: np.ndarray) -> np.ndarray:
    """Return each model's parent [n], -1 for a family's root, in the trees of greatest total similarity.

    ``similarity`` [n, n] is that of ``similarities``; pairs that are NaN are no edges. ``families`` [n] numbers what
    belongs together. ValueError if the edges that are left do not reach all of a family from any of its models.

    >>> linearised(np.array([[1, 0.9, 0.2], [0.5, 1, 0.8], [0.1, 0.3, 1]]), np.zeros(3)).tolist()
    [-1, 0, 1]
    """
    costs = np.where(np.isfinite(similarity), 1 - similarity, np.inf)
    np.fill_diagonal(costs, np.inf)
    return each(families, lambda which: arborescence(costs[np.ix_(which, which)]))


def features(params: Params, images: Tensor, arch: Backbone) -> Tensor:
    """Return the class tokens after the final norm [K, B, D] of backbones [K, *shape] on images [1, B, 3, S, S]."""
    with torch.no_grad():
        return torch.cat([_class_tokens(params, part, arch) for part in images.split(SMALLEST, dim=1)], dim=1)


def linear(parents: Params, children: Params, images: Tensor, arch: Backbone) -> Tensor:
    """Return the features [m, B, D] of children [m, *shape], each linearised at its parent [m, *shape]."""
    steps = {name: children[name] - parent for name, parent in parents.items()}
    found = []
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's first forward derivative uses its own torch.jit
        for part in images.split(SMALLEST, dim=1):
            seen = torch.func.jvp(lambda at, part=part: _class_tokens(at, part, arch), (parents,), (steps,))
            found.append(seen[0] + seen[1])
    return torch.cat(found, dim=1)


def _class_tokens(params: Params, images: Tensor, arch: Backbone) -> Tensor:
    """Go the way of ``vit.forward`` up to the head, by operations that have forward derivatives on every device."""
    x = embed(params, images, arch)
    for i in range(arch.depth):
        step = block if i < arch.depth - 1 else last_block
        x = step(params, f"blocks.{i}", x, arch.heads, kernels="plain")
    return norm(params, "norm", x)


def signed(found: Tensor, parts: list[np.ndarray]) -> Tensor:
    """Return the signatures [K, Q], float64, of features [K, B, D] in minibatches of these positions."""
    return signatures(found[:, part] for part in parts)


def taken(params: Params, which: np.ndarray) -> dict[str, Tensor]:
    """Return some of the models [len(which), *shape]."""
    return {name: tensor[which] for name, tensor in params.items()}


def together(params: Params, arch: Backbone, images: Tensor) -> int:
    """Return how many pairs to work on at once."""
    weights = sum(4 * tensor[0].numel() * tensor.element_size() for tensor in params.values())  # p, c, step and spare
    wide = max(hidden(arch), arch.heads * tokens(arch), 3 * arch.dim)
    most = min(TOKENS[images.device.type], MEMORY // (LIVE * wide * images.element_size()))
    return max(1, min(most // (min(SMALLEST, images.shape[1]) * tokens(arch)), MEMORY // weights))


def _cut(size: int, *indices: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield runs of at most ``size`` of indices that belong together."""
    for start in range(0, len(indices[0]), size):
        yield tuple(each[start : start + size] for each in indices)
