"""Images that are made whenever they are asked for, in place of an array that a cache holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LiveImages:
    """One split, to its readers an array uint8 [N, side, side, 3], of which no byte is kept.

    ``draw`` makes the images at given positions (int64 [n]) on a device: uint8 [n, 3, side, side], the same images
    every time.

    >>> import torch
    >>> black = LiveImages(10, 2, lambda chosen, device: torch.zeros(len(chosen), 3, 2, 2, dtype=torch.uint8))
    >>> black.shape, black[np.array([3, 1])].shape
    ((10, 2, 2, 3), (2, 2, 2, 3))
    """

    count: int
    side: int
    draw: "Callable[[np.ndarray, torch.device], torch.Tensor]"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the array this stands for."""
        return self.count, self.side, self.side, 3

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, chosen: np.ndarray | slice) -> np.ndarray:
        import torch

        planes = self.draw(np.arange(self.count)[chosen], torch.device("cpu"))
        return planes.permute(0, 2, 3, 1).contiguous().numpy()
