"""The ViT that a state dict under timm's names belongs to, from names and shapes alone."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.errors import InputError
from vitzoo.model.shapes import CHANNELS, Shapes, parameter_shapes

HEAD_WIDTH = 64  # of an attention head in every published ViT; the number of heads has no trace in the shapes


def infer(shapes: Mapping[str, tuple[int, ...]], known: Mapping[str, Any] | None = None) -> Backbone:
    """Return the architecture of these shapes; ``known`` may give ``heads`` and ``init``.

    Linear and MLP heads are told apart by their names. A backbone without a head has none to infer, so it is refused.
    InputError names the first tensor that is missing, too many or of another shape than the architecture has.

    >>> vit_s = Backbone(image_size=224, patch_size=16, dim=384, depth=12, heads=6, head=Head(outputs=100))
    >>> infer(parameter_shapes(vit_s)) == vit_s
    True
    """
    known = known or {}
    try:
        dim, channels, patch, _ = shapes["patch_embed.proj.weight"]
        side = math.isqrt(shapes["pos_embed"][1] - 1)
        hidden = shapes["blocks.0.mlp.fc1.weight"][0]
    except (KeyError, ValueError, IndexError):
        first = ", ".join(list(shapes)[:3])
        raise InputError(f"These are no weights of a ViT with timm's names: they are {first}, ….") from None
    if channels != CHANNELS:
        raise InputError(f"This ViT sees images of {channels} channels; a zoo's have {CHANNELS}.")
    depth = len({name.split(".")[1] for name in shapes if name.startswith("blocks.")})
    heads = known.get("heads") or max(1, dim // HEAD_WIDTH)
    try:
        arch = Backbone(
            image_size=side * patch,
            patch_size=patch,
            dim=dim,
            depth=depth,
            heads=heads,
            mlp_ratio=hidden / dim,
            init=known.get("init", "timm"),
            head=_head(shapes),
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(f"These weights belong to no ViT that a zoo holds: {field}: {first['msg']}.") from None
    _check(shapes, parameter_shapes(arch))
    return arch


def _head(shapes: Mapping[str, tuple[int, ...]]) -> Head:
    if "head.weight" in shapes:
        return Head(kind="linear", hidden=None, outputs=shapes["head.weight"][0])
    if "head.0.weight" in shapes and "head.2.weight" in shapes:
        return Head(kind="mlp", hidden=shapes["head.0.weight"][0], outputs=shapes["head.2.weight"][0])
    raise InputError("These weights have no head, neither a linear one (head.weight) nor an MLP (head.0.weight).")


def _check(found: Mapping[str, tuple[int, ...]], expected: Shapes) -> None:
    for name in (*expected, *found):
        if found.get(name) != expected.get(name):
            has, wants = (str(list(s[name])) if name in s else "none" for s in (found, expected))
            raise InputError(f"Tensor {name[:80]!r} has shape {has}; a ViT of these dimensions has {wants}.")
