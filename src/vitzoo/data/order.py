"""Which image comes when."""

import numpy as np

from vitzoo import rng
from vitzoo.errors import DataError


def epoch_order(n: int, batch_size: int, seed: int, epoch: int) -> np.ndarray:
    """Return the training batches of an epoch as positions, int64 [steps, batch_size].

    A permutation that depends on (seed, epoch) alone; the last, incomplete batch is dropped. Raises DataError if
    there are fewer images than one batch.

    >>> epoch_order(10, 4, seed=0, epoch=1).shape
    (2, 4)
    """
    if n < batch_size:
        raise DataError(f"batch_size is {batch_size}, but the training split has only {n} images.")
    steps = n // batch_size
    shuffled = rng.stream(seed, "order", epoch).permutation(n)
    return shuffled[: steps * batch_size].reshape(steps, batch_size).astype(np.int64, copy=False)


def eval_order(n: int, batch_size: int) -> list[np.ndarray]:
    """Return the evaluation batches as positions: every image once, in order; the last batch may be smaller.

    >>> [len(batch) for batch in eval_order(10, 4)]
    [4, 4, 2]
    """
    return [np.arange(start, min(start + batch_size, n), dtype=np.int64) for start in range(0, n, batch_size)]
