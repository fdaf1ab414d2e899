"""Averages of models, tensor by tensor: with shares, or of all alike."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Params = Mapping[str, Tensor]


def mixture(models: Sequence[Params], shares: Tensor) -> dict[str, Tensor]:
    """Return the mean of models with these shares [M], tensor by tensor."""
    return {
        name: torch.tensordot(shares.to(tensor), torch.stack([model[name] for model in models]), dims=1)
        for name, tensor in models[0].items()
    }


def mean(models: Sequence[Params]) -> dict[str, Tensor]:
    """Return the mean of models, tensor by tensor."""
    return mixture(models, torch.full((len(models),), 1 / len(models), dtype=torch.float64))
