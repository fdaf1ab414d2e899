"""A decoded data set."""

from dataclasses import dataclass

import numpy as np

from vitzoo.data.live import LiveImages


@dataclass(frozen=True, eq=False)
class Images:
    """Both splits of a data set, decoded.

    ``x_*``: uint8 [N, side, side, 3], read-only and mapped into memory from the cache, or drawn when asked for.
    ``y_*``: int64 [N]. ``classes``: number of classes. ``fingerprint``: SHA-256 over the content of the four arrays,
    or over all that determines it where images are drawn when asked for; hexadecimal.
    """

    x_train: np.ndarray | LiveImages
    y_train: np.ndarray
    x_test: np.ndarray | LiveImages
    y_test: np.ndarray
    classes: int
    fingerprint: str

    @property
    def side(self) -> int:
        """Side of the images, pixels."""
        return int(self.x_train.shape[1])
