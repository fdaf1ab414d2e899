"""Merges of what was fine-tuned from one checkpoint, by the differences from it.

WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903), Model Stock (Jang et al. 2024, arXiv 2403.19522), task arithmetic
(Ilharco et al. 2023, arXiv 2212.04089), TIES (Yadav et al. 2023, arXiv 2306.01708), DARE (Yu et al. 2024,
arXiv 2311.03099). The parent's head was made for another task; heads are averaged instead.
"""

from collections.abc import Callable
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from vitzoo.errors import InputError
from vitzoo.measures.scoring import score
from vitzoo.merging import average, task_vectors
from vitzoo.merging.methods.method import Ingredients, Merged

#: Steps that task arithmetic chooses among, in mean differences from the parent.
STEPS = [i / 10 for i in range(1, 21)]


def interpolate(of: Ingredients, share: float) -> Merged:
    """Go the ``share`` of the way from the parent to the mean of the models (WiSE-FT's α)."""
    model = average.interpolated(of.origin(), average.uniform(of.models), share)
    return Merged(model, [share / len(of.models)] * len(of.models))


def model_stock(of: Ingredients) -> Merged:
    """Go from the parent towards the mean, tensor by tensor, as far as the models agree in their direction."""
    ends = list(accumulate(of.layout.sizes))
    parts = [slice(start, stop) for start, stop in zip([0, *ends], ends, strict=False)]
    return Merged(average.model_stock(of.origin(), of.models, parts))


def task_arithmetic(of: Ingredients, scale: float | None, images: int) -> Merged:
    """Add ``scale`` times the sum of all differences to the parent; without a scale, the best on held-out images."""
    if scale is not None:
        return Merged(task_vectors.arithmetic(of.origin(), of.models, scale))
    scales = torch.tensor(STEPS, dtype=torch.float64) / len(of.models)
    step = (of.models.double() - of.origin().double()).sum(dim=0)

    def make(start: int, stop: int) -> Tensor:
        return (of.origin().double() + scales[start:stop, None] * step).to(of.models.dtype)

    found = score(of.held_out(images), make, len(scales))
    best = int(np.lexsort((np.nan_to_num(found.loss, nan=np.inf), -np.nan_to_num(found.accuracy, nan=-1.0)))[0])
    return Merged(make(best, best + 1)[0], chosen={"scale": float(scales[best])})


def ties(of: Ingredients, keep: float, scale: float) -> Merged:
    """Keep each model's largest differences, let signs vote, and average those that agree."""
    return _without_heads(of, lambda parent, models: task_vectors.ties(parent, models, keep, scale))


def dare(of: Ingredients, drop: float, seed: int) -> Merged:
    """Drop differences at random, stretch the rest, and average."""
    return _without_heads(of, lambda parent, models: average.uniform(task_vectors.dare(parent, models, drop, seed)))


def _without_heads(of: Ingredients, merge: Callable[[Tensor, Tensor], Tensor]) -> Merged:
    """Merge backbones and average heads, whose differences have no start to be counted from."""
    sizes = zip(of.layout.shapes, of.layout.sizes, strict=True)
    count = sum(size for name, size in sizes if not name.startswith("head."))
    try:
        backbone = merge(of.origin()[:count], of.models[:, :count])
    except ValueError as error:
        raise InputError(f"The models cannot be merged so: {error}.") from None
    return Merged(torch.cat([backbone, average.uniform(of.models[:, count:])]))
