"""Images near the model: resident on the device as uint8 where they fit, streamed from the cache or drawn if not."""

import numpy as np
import torch

from vitzoo.data.live import LiveImages
from vitzoo.data.transfer import send


class DeviceSplit:
    """One split of a data set, ready to be gathered from by position.

    ``x``: uint8 [N, side, side, 3], in memory, mapped or live; ``y``: int64 [N]. If ``x`` is an array of at most
    ``budget_bytes`` it is copied to the device once, as [N, 3, side, side]; otherwise every batch is read and copied,
    or drawn on the device, when asked for.

    >>> split = DeviceSplit(np.zeros((4, 2, 2, 3), np.uint8), np.arange(4), "cpu")
    >>> images, labels = split.gather(np.array([2, 1]))
    >>> images.shape, labels.tolist()
    (torch.Size([2, 3, 2, 2]), [2, 1])
    """

    def __init__(
        self, x: np.ndarray | LiveImages, y: np.ndarray, device: torch.device | str, budget_bytes: int = 8 << 30
    ) -> None:
        self.device = torch.device(device)
        self._y = torch.from_numpy(np.array(y, np.int64)).to(self.device)
        self._x: np.ndarray | LiveImages | torch.Tensor = x
        if isinstance(x, np.ndarray) and x.nbytes <= budget_bytes:
            planar = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
            # A one-pixel or empty split is contiguous already, and torch wants memory it may write to.
            self._x = torch.from_numpy(planar if planar.flags.writeable else planar.copy()).to(self.device)

    def __len__(self) -> int:
        return len(self._y)

    @property
    def resident(self) -> bool:
        """Whether the images lie on the device."""
        return isinstance(self._x, torch.Tensor)

    def gather(self, indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images uint8 [B, 3, side, side] and labels int64 [B] at the given positions (int64 [B])."""
        index = send(indices, self.device)
        labels = self._y[index]
        if isinstance(self._x, torch.Tensor):
            return self._x[index], labels
        if isinstance(self._x, LiveImages):
            return self._x.draw(np.asarray(indices), self.device), labels
        rows = send(_read(self._x, np.asarray(indices)), self.device)
        return rows.permute(0, 3, 1, 2).contiguous(), labels


def _read(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Gather rows of a mapped file in the file's order, which disks like better."""
    order = np.argsort(indices, kind="stable")
    out = np.empty((len(indices), *x.shape[1:]), np.uint8)
    out[order] = x[indices[order]]
    return out
