"""The learning rate over the steps of a run: linear warm-up, then constant or cosine to zero."""

import math

from vitzoo.blueprint.schema import Hyperparameters


def factor(hyper: Hyperparameters, step: int, steps_per_epoch: int) -> float:
    """Return what multiplies the peak learning rate at ``step`` (from 0).

    >>> h = Hyperparameters(seed=0, epochs=10, batch_size=4, lr=1e-3, schedule="cosine", warmup_epochs=2.0)
    >>> [round(factor(h, step, 1), 3) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.038]
    """
    warmup = round(hyper.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return (step + 1) / warmup
    if hyper.schedule == "constant":
        return 1.0
    total = hyper.epochs * steps_per_epoch
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
