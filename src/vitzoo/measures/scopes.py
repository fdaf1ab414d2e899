"""Named sets of tensors that a statistic of weights is over. A number without its scope cannot be compared.

timm fuses the maps to queries, keys and values into one tensor; they are three, so they are counted as three:
``blocks.0.attn.qkv.weight`` [3D, D] becomes ``blocks.0.attn.q.weight`` and so on, each square.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from vitzoo.errors import InputError, nearest

_BLOCK_MATRIX = re.compile(r"blocks\.\d+\.(attn\.(q|k|v|proj)|mlp\.fc[12])\.weight")
POOLED, AVERAGED = "pooled", "averaged"


@dataclass(frozen=True)
class Part:
    """A tensor, or the third of a fused one: a run of ``size`` elements from ``begin`` in the tensor ``source``."""

    name: str
    source: str
    begin: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class Scope:
    """Which parts count, and whether their elements are pooled into one set or their statistics averaged."""

    name: str
    meaning: str
    how: str = POOLED

    def holds(self, name: str, shape: tuple[int, ...]) -> bool:
        """Say whether a part belongs to the scope."""
        if self.name == "backbone":
            return not is_head(name)
        if self.name in ("matrices", "square"):
            matrix = _BLOCK_MATRIX.fullmatch(name) is not None and len(shape) == 2
            return matrix and (self.name == "matrices" or shape[0] == shape[1])
        return True


SCOPES = {
    scope.name: scope
    for scope in (
        Scope("all", "every number of the model as one vector"),
        Scope("backbone", "every number but the head's as one vector"),
        Scope("matrices", "the weight matrices of attention and MLP in the blocks as one vector"),
        Scope("per-tensor mean", "the mean over all tensors of each tensor's own statistic", AVERAGED),
        Scope("square", "the mean over the square matrices of the blocks (q, k, v, proj) of each one's own", AVERAGED),
    )
}


def find(name: str) -> Scope:
    """Return a scope by name; InputError names the nearest."""
    if name not in SCOPES:
        raise InputError(f"{name!r} is no scope; use {', '.join(map(repr, SCOPES))}.{nearest(name, SCOPES)}")
    return SCOPES[name]


def is_head(name: str) -> bool:
    """Say whether a tensor belongs to the head, which differs between tasks."""
    return name.startswith("head.")


def parts(shapes: Mapping[str, tuple[int, ...]]) -> list[Part]:
    """Return a model's tensors with the fused ones split, in order.

    >>> [(part.name, part.begin, part.shape) for part in parts({"attn.qkv.bias": (6,), "norm.bias": (2,)})]
    [('attn.q.bias', 0, (2,)), ('attn.k.bias', 2, (2,)), ('attn.v.bias', 4, (2,)), ('norm.bias', 0, (2,))]
    """
    found = []
    for name, shape in shapes.items():
        if "attn.qkv." not in name or not shape or shape[0] % 3:
            found.append(Part(name, name, 0, shape))
            continue
        third = (shape[0] // 3, *shape[1:])
        for i, letter in enumerate("qkv"):
            found.append(Part(name.replace("qkv", letter), name, i * prod(third), third))
    return found
