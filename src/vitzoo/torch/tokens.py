"""Weights as tokens: rows of weight matrices, cut to one width, with a mask and positions.

A token is what one output unit reads, its bias behind it, and positions are (place in the sequence, layer, row), as
SANE has them (Schürholt et al. 2024, arXiv 2406.09997). Rows longer than the width are cut into several tokens of one
layer and row, the last one filled up with zeros. Unlike there the class token and the positional embedding are not left
out, and a norm's vectors are two rows rather than a row per number, so tokens can be turned back into weights.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from vitzoo.errors import InputError
from vitzoo.model.shapes import Shapes


@dataclass(frozen=True)
class Rows:
    """Where a layer's rows come from: a tensor, the bias that is appended to them or ``None``, and the size."""

    name: str
    bias: str | None
    count: int
    length: int


@dataclass(frozen=True)
class TokenLayout:
    """How tensors of these shapes become N tokens of one width, by default that of the longest row.

    >>> layout = TokenLayout({"fc.weight": (2, 3), "fc.bias": (2,), "norm.weight": (3,)}, width=3)
    >>> found = layout.pack({"fc.weight": torch.ones(2, 3), "fc.bias": torch.zeros(2), "norm.weight": torch.ones(3)})
    >>> found["tokens"].shape, found["positions"].tolist()
    (torch.Size([5, 3]), [[0, 0, 0], [1, 0, 0], [2, 0, 1], [3, 0, 1], [4, 1, 0]])
    """

    shapes: Shapes
    width: int = 0

    def __post_init__(self) -> None:
        if self.width < 0:
            raise InputError(f"Tokens cannot have {self.width} numbers; give a positive width.")
        if not self.width:
            object.__setattr__(self, "width", max(rows.length for rows in self.rows))

    @cached_property
    def rows(self) -> list[Rows]:
        """The layers, in the order of the tensors; a position's second number counts them."""
        biases = {name: bias for name, shape in self.shapes.items() if (bias := _bias(name, shape)) in self.shapes}
        found = []
        for name, shape in self.shapes.items():
            count, length = _rows(name, shape)
            if name in biases:
                found.append(Rows(name, biases[name], count, length + 1))
            elif name not in biases.values():
                found.append(Rows(name, None, count, length))
        return found

    @property
    def count(self) -> int:
        """N, the number of tokens of a model."""
        return sum(rows.count * self._pieces(rows) for rows in self.rows)

    @cached_property
    def mask(self) -> Tensor:
        """Where tokens hold weights rather than zeros that fill up, bool [N, width]."""
        return torch.cat([self._cut(torch.ones(rows.count, rows.length, dtype=torch.bool)) for rows in self.rows])

    @cached_property
    def positions(self) -> Tensor:
        """Place in the sequence, layer and row of each token, int64 [N, 3]."""
        layers = [torch.full((rows.count * self._pieces(rows),), i) for i, rows in enumerate(self.rows)]
        units = [torch.arange(rows.count).repeat_interleave(self._pieces(rows)) for rows in self.rows]
        return torch.stack([torch.arange(self.count), torch.cat(layers), torch.cat(units)], dim=1)

    def pack(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``tokens`` [N, width], and the layout's own ``mask`` and ``positions``: do not change them."""
        parts = []
        for rows in self.rows:
            found = tensors[rows.name].reshape(rows.count, -1)
            parts.append(self._cut(found if rows.bias is None else torch.cat([found, tensors[rows.bias][:, None]], 1)))
        return {"tokens": torch.cat(parts), "mask": self.mask, "positions": self.positions}

    def unpack(self, tokens: Tensor) -> dict[str, Tensor]:
        """Return the tensors that tokens [N, width] were made of; numbers outside the mask do not count.

        InputError if there are more or fewer tokens, or they have another width.
        """
        if tokens.shape != (self.count, self.width):
            raise InputError(
                f"Tokens of this layout are {self.count} of {self.width} numbers, not {list(tokens.shape)}. "
                "Take the layout of the checkpoint that they come from."
            )
        found: dict[str, Tensor] = {}
        parts = tokens.split([rows.count * self._pieces(rows) for rows in self.rows])
        for rows, part in zip(self.rows, parts, strict=True):
            whole = part.reshape(rows.count, -1)[:, : rows.length]
            if rows.bias is not None:
                whole, found[rows.bias] = whole[:, :-1], whole[:, -1]
            found[rows.name] = whole.reshape(self.shapes[rows.name])
        return {name: found[name] for name in self.shapes}

    def _pieces(self, rows: Rows) -> int:
        return math.ceil(rows.length / self.width)

    def _cut(self, rows: Tensor) -> Tensor:
        return pad(rows, (0, -rows.shape[1] % self.width)).reshape(-1, self.width)


def _is_map(name: str, shape: tuple[int, ...]) -> bool:
    return name.endswith(".weight") and len(shape) > 1


def _bias(name: str, shape: tuple[int, ...]) -> str | None:
    """Name of the bias that goes with the weight of a linear map, ``None`` for other tensors."""
    return f"{name.removesuffix('weight')}bias" if _is_map(name, shape) else None


def _rows(name: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Number and length of a tensor's rows: a weight has one per output, all else runs along its last axis."""
    if _is_map(name, shape):
        return shape[0], math.prod(shape[1:])
    return math.prod(shape[:-1]), math.prod(shape[-1:])
