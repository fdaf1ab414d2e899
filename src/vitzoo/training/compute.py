"""Where, how precisely and with whom a population is computed; weights and moments are kept in float32 or better."""

from dataclasses import dataclass

import torch

from vitzoo.model.vit import Kernels
from vitzoo.training.team import ALONE, Team

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "float64": torch.float64}


@dataclass(frozen=True)
class Compute:
    """A device and a precision: float32, bf16 (weights cast for each step), or float64 (tests).

    ``kernels`` compute the blocks, forward and backward; see ``vitzoo.model.vit.Kernels``.
    ``micro`` is the most tokens (members x images x tokens of an image) of one forward and backward pass; None: all.
    ``team`` are the processes that train a population together.
    """

    device: str = "cpu"
    precision: str = "float32"
    kernels: Kernels = "torch"
    micro: int | None = None
    team: Team = ALONE

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of activations and of the weights as the model sees them."""
        return DTYPES[self.precision]

    @property
    def master(self) -> torch.dtype:
        """Dtype of the weights and moments that are kept."""
        return torch.float64 if self.precision == "float64" else torch.float32
