"""What a population makes of images on the way to its outputs: one vector per member, layer and image."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.errors import InputError
from vitzoo.model.vit import block, embed, norm

#: How the tokens of an image become one vector: the class token, or the mean of the patches' tokens.
TOKENS = ("class", "patches")


def layers(arch: Backbone, tokens: str = "class") -> list[str]:
    """Return the names of the layers that have features, first to last, after timm's names of the modules.

    Before the first block the class token is the same for all images, so "embed" counts for "patches" only.
    InputError if ``tokens`` is neither.

    >>> layers(Backbone(image_size=8, patch_size=4, dim=8, depth=2, heads=2), "patches")
    ['embed', 'blocks.0', 'blocks.1', 'norm']
    """
    if tokens not in TOKENS:
        raise InputError(f"{tokens!r} is no choice of tokens; use {' or '.join(map(repr, TOKENS))}.")
    return [*(["embed"] if tokens == "patches" else []), *(f"blocks.{i}" for i in range(arch.depth)), "norm"]


def walk(params: Mapping[str, Tensor], images: Tensor, arch: Backbone) -> Iterator[tuple[str, Tensor]]:
    """Yield the name of a layer and its tokens [K, B, T, D]: embedding, every block, the final norm.

    ``params`` and ``images`` are as for ``vit.forward``, which goes the same way without stopping.
    """
    x = embed(params, images, arch)
    yield "embed", x
    for i in range(arch.depth):
        x = block(params, f"blocks.{i}", x, arch.heads)
        yield f"blocks.{i}", x
    yield "norm", norm(params, "norm", x.flatten(1, 2)).view_as(x)


def features(params: Mapping[str, Tensor], images: Tensor, arch: Backbone, tokens: str = "class") -> Tensor:
    """Return the features [K, L, B, D] of a population at ``layers(arch, tokens)``; without gradients.

    ``images`` [S, B, 3, H, W] are prepared as for ``vit.forward``.
    """
    wanted = layers(arch, tokens)
    with torch.no_grad():
        found = [_vectors(x, tokens) for name, x in walk(params, images, arch) if name in wanted]
    return torch.stack(found, dim=1)


def _vectors(x: Tensor, tokens: str) -> Tensor:
    return x[:, :, 0] if tokens == "class" else x[:, :, 1:].mean(dim=2)
