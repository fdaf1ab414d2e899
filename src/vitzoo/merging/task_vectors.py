"""Sums of what models of one parent learned: differences from it, as rows of numbers; sums are in float64.

Task arithmetic: Ilharco et al. (2023); TIES: Yadav et al. (2023), which keeps each model's largest steps and lets the
signs vote; DARE: Yu et al. (2024), which drops steps at random and stretches the rest.
"""

import torch
from torch import Tensor

from vitzoo import rng


def arithmetic(parent: Tensor, models: Tensor, scale: float = 1.0) -> Tensor:
    """Return the parent [P] and ``scale`` times the sum of the models' [K, P] steps from it."""
    return _moved(parent, (models.double() - parent.double()).sum(dim=0), scale)


def ties(parent: Tensor, models: Tensor, keep: float = 0.2, scale: float = 1.0) -> Tensor:
    """Merge by TIES: of each model's steps the share ``keep`` of largest size, of these the ones with the elected sign.

    A number's sign is that of the sum of what is kept; the steps that have it are averaged. ValueError if the share is
    not above 0 and at most 1.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"a share of {keep} cannot be kept; give one above 0, at most 1")
    steps = models.double() - parent.double()
    count = max(1, round(keep * steps.shape[1]))
    least = steps.abs().kthvalue(steps.shape[1] - count + 1, dim=1, keepdim=True).values
    kept = torch.where(steps.abs() >= least, steps, 0.0)
    agreeing = torch.where(kept.sign() == kept.sum(dim=0).sign(), kept, 0.0)
    return _moved(parent, agreeing.sum(dim=0) / (agreeing != 0).sum(dim=0).clamp(min=1), scale)


def dare(parent: Tensor, models: Tensor, drop: float = 0.9, seed: int = 0) -> Tensor:
    """Return models [K, P] whose steps from the parent were dropped with this probability, the rest stretched.

    Their expectation is what they were; merge them by any other rule. ValueError if the probability is not in [0, 1).
    """
    if not 0 <= drop < 1:
        raise ValueError(f"steps cannot be dropped with probability {drop}; give one in [0, 1)")
    steps = models.double() - parent.double()
    draws = torch.from_numpy(rng.stream(seed, "dare").random(tuple(steps.shape)))
    return (parent.double() + torch.where(draws >= drop, steps / (1 - drop), 0.0)).to(models.dtype)


def _moved(parent: Tensor, step: Tensor, scale: float) -> Tensor:
    return (parent.double() + scale * step).to(parent.dtype)
