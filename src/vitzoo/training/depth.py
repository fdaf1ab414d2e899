"""Stochastic depth (Huang et al. 2016): residual branches dropped per image, rate linear from 0 to the last block."""

from collections.abc import Sequence

import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.data.pipeline import Key


def keep_factors(rate: float, depth: int, batch: int, keys: Sequence[Key]) -> Tensor | None:
    """Draw [depth, 2, S, batch] factors 0 or 1/keep for the two branches of every block; None when the rate is 0.

    There is one key for each of S; siblings with one seed share the draw, so a member is the same in every stack.

    >>> keep_factors(0.0, 4, 8, [(42, 1, 0)]) is None
    True
    >>> keep_factors(0.5, 4, 8, [(42, 1, 0)])[0].unique().tolist()  # the first block is never dropped
    [1.0]
    """
    if not rate:
        return None
    keep = 1 - torch.linspace(0, rate, depth).view(depth, 1, 1, 1)
    draws = [rng.stream(*key, "stochastic_depth").random((depth, 2, batch), dtype="float32") for key in keys]
    return (torch.stack([torch.from_numpy(draw) for draw in draws], dim=2) < keep).float() / keep
