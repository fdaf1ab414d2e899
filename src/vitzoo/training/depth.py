"""Stochastic depth (Huang et al. 2016): residual branches dropped per image, rate linear from 0 to the last block."""

import torch
from torch import Tensor

from vitzoo import rng


def keep_factors(rate: float, depth: int, batch: int, key: tuple[int, ...]) -> Tensor | None:
    """Draw [depth, 2, batch] factors 0 or 1/keep for the two branches of every block; None when the rate is 0.

    Siblings with one seed share the draw, so a member is the same in every stack.

    >>> keep_factors(0.0, 4, 8, (42, 1, 0)) is None
    True
    >>> keep_factors(0.5, 4, 8, (42, 1, 0))[0].unique().tolist()  # the first block is never dropped
    [1.0]
    """
    if not rate:
        return None
    keep = 1 - torch.linspace(0, rate, depth).view(depth, 1, 1)
    draws = rng.stream(*key, "stochastic_depth").random((depth, 2, batch), dtype="float32")
    return (torch.from_numpy(draws) < keep).float() / keep
