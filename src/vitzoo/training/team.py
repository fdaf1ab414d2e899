"""Processes that train one population together, each on its share of every batch (data-parallel training).

All draw the same batches and hold the same weights. Gradients are summed over the processes and everybody makes the
same update, so a team computes what one process computes, but for the order of sums. With one process nothing is sent.
The team is the default process group of torch.distributed, which the caller opens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vitzoo.training.chunks import part


@dataclass(frozen=True)
class Team:
    """Process ``rank`` of ``size``.

    >>> Team(1, 2).share(5), Team().share(5)
    (slice(3, 5, None), slice(0, 5, None))
    """

    rank: int = 0
    size: int = 1

    def share(self, n: int) -> slice:
        """Return which of ``n`` images of a batch are this process's."""
        return part(n, self.rank, self.size)

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up a contiguous tensor over the processes, in place, and return it."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def join(self, outputs: Tensor, n: int) -> Tensor:
        """Return the outputs [K, n, C] of all images, given those of this process's share [K, share, C]."""
        if self.size == 1:
            return outputs
        k, _, c = outputs.shape
        whole = torch.zeros(k, n, c, dtype=torch.promote_types(outputs.dtype, torch.float32), device=outputs.device)
        whole[:, self.share(n)] = outputs
        return self.sum(whole).to(outputs.dtype)  # shares differ in size, which gathering does not take

    def copy_from_first(self, *tensors: Tensor) -> None:
        """Give contiguous tensors the values they have in the first process."""
        if self.size > 1:
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)

    def check_equal(self, tensor: Tensor, what: str) -> None:
        """Make sure that all processes hold the same bits: with other bits each would train something else.

        Raises:
            RuntimeError: they do not.
        """
        if self.size == 1:
            return
        words = tensor.contiguous().view(torch.int32).sum(dtype=torch.int64)
        extremes = torch.stack([words, -words])
        torch.distributed.all_reduce(extremes, torch.distributed.ReduceOp.MAX)
        if int(extremes.sum()) != 0:
            raise RuntimeError(f"The processes that train a population together hold different {what}.")


ALONE = Team()
