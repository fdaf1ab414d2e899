"""The flat layout: a model is one row of numbers, a population is a matrix [K, P], tensors are views of it.

The order is that of the safetensors file, so a member's checkpoint is its row, byte for byte, the optimizer is a few
operations on one matrix, and what concerns one member (its norm, its divergence) is a reduction over a row.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.model.shapes import Shapes, parameter_shapes


@dataclass(frozen=True)
class Layout:
    """Names and shapes of a model's tensors, in order.

    >>> layout = Layout({"a": (2, 3), "b": (4,)})
    >>> flat = layout.pack({"a": torch.ones(2, 3), "b": torch.zeros(4)})
    >>> flat.shape, layout.views(flat)["a"].shape
    (torch.Size([10]), torch.Size([2, 3]))
    """

    shapes: Shapes

    @classmethod
    def of(cls, arch: Backbone) -> "Layout":
        """Return the layout of an architecture whose head has its outputs resolved."""
        return cls(parameter_shapes(arch))

    @property
    def sizes(self) -> list[int]:
        """Number of elements of each tensor."""
        return [math.prod(shape) for shape in self.shapes.values()]

    @property
    def width(self) -> int:
        """P, the number of parameters of one model."""
        return sum(self.sizes)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Split ``flat`` [..., P] into named views [..., *shape]; differentiable, nothing is copied."""
        parts = flat.split(self.sizes, dim=-1)
        return {
            name: part.unflatten(-1, shape) if len(shape) > 1 else part
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def pack(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Concatenate named tensors [..., *shape] into one [..., P].

        Raises:
            ValueError: a tensor is missing, unexpected or of another shape; the text names it.
        """
        if set(tensors) != set(self.shapes):
            missing, extra = set(self.shapes) - set(tensors), set(tensors) - set(self.shapes)
            raise ValueError(
                f"tensors do not fit the architecture: missing {sorted(missing)}, unexpected {sorted(extra)}"
            )
        parts = []
        for name, shape in self.shapes.items():
            tensor = tensors[name]
            lead = tensor.shape[: tensor.dim() - len(shape)]
            if tuple(tensor.shape[len(lead) :]) != shape:
                raise ValueError(f"tensor {name!r} has shape {tuple(tensor.shape)}, expected {shape}")
            parts.append(tensor.reshape(*lead, -1))
        return torch.cat(parts, dim=-1)
