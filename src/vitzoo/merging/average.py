"""Averages within a lineage, of models as rows of numbers; sums are in float64.

Uniform soups: Wortsman et al., "Model soups" (2022); windows: Kaddour, "Stop wasting my time" (LAWA, 2022);
interpolation with the parent: Wortsman et al., "Robust fine-tuning of zero-shot models" (WiSE-FT, 2022); Model Stock:
Jang et al. (2024).
"""

from collections.abc import Iterable

import torch
from torch import Tensor


def uniform(models: Tensor) -> Tensor:
    """Return the mean [P] of models [K, P].

    >>> uniform(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [2.0, 3.0]
    """
    return models.mean(dim=0, dtype=torch.float64).to(models.dtype)


def weighted(models: Tensor, shares: Tensor) -> Tensor:
    """Return the sums [S, P] of models [K, P] with these shares [S, K], one soup a row."""
    return (shares.double() @ models.double()).to(models.dtype)


def interpolated(parent: Tensor, child: Tensor, share: float) -> Tensor:
    """Return the model [P] that is ``share`` of the way from the parent to the child (WiSE-FT's α)."""
    return torch.lerp(parent.double(), child.double(), share).to(child.dtype)


def trailing(models: Tensor, window: int) -> Tensor:
    """Return the means [T - window + 1, P] of every so many consecutive ones of a trajectory's models [T, P] (LAWA).

    ValueError if the window is empty or longer than the trajectory.
    """
    if not 1 <= window <= len(models):
        raise ValueError(f"a window of {window} does not fit {len(models)} models")
    sums = torch.cumsum(torch.cat([torch.zeros_like(models[:1]), models]).double(), dim=0)
    return ((sums[window:] - sums[:-window]) / window).to(models.dtype)


def exponential(models: Tensor, decay: float) -> Tensor:
    """Return the exponential moving average [P] of a trajectory's models [T, P], which begins at the first."""
    found = models[0].double()
    for model in models[1:]:
        found = torch.lerp(model.double(), found, decay)
    return found.to(models.dtype)


def model_stock(parent: Tensor, models: Tensor, tensors: Iterable[slice]) -> Tensor:
    """Return the model [P] between the parent and the mean of models [K, P] that is nearest to where they scatter from.

    Tensor by tensor, given as slices of a row, it goes t = K cos θ / ((K - 1) cos θ + 1) of the way from the parent to
    the mean, with the mean cosine of the models' ways in pairs; a negative one counts as 0. ValueError for one model.
    """
    count = len(models)
    if count < 2:
        raise ValueError("Model Stock needs two models at least")
    found = parent.double().clone()
    for part in tensors:
        ways = models[:, part].double() - parent[part].double()
        unit = torch.nn.functional.normalize(ways, dim=1)
        total = unit.sum(dim=0)
        cosine = ((total @ total - (unit * unit).sum()) / (count * (count - 1))).clamp(min=0)
        found[part] += count * cosine / ((count - 1) * cosine + 1) * ways.mean(dim=0)
    return found.to(models.dtype)
