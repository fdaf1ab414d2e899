"""What lies between models: loss and accuracy of their averages, along the line of two or over the simplex of several.

A barrier is how far the loss of an average rises above the same average of the models' own losses, at most (Frankle et
al. 2020, who compare with the mean of both ends; here it is the line between them, or the plane). For accuracy it is
how far it falls below. Both are at least 0, since the models themselves are among the points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.measures.plain import finite
from vitzoo.measures.scoring import Ground, Tell, score

CONCENTRATION = 1.0  # of the Dirichlet distribution: all averages are equally likely


@dataclass(frozen=True, eq=False)
class Path:
    """Averages of M models on n images.

    shares: [S, M], the models themselves first. loss: [S], mean cross-entropy, nats. accuracy: [S], in [0, 1].
    """

    shares: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    images: int

    @property
    def loss_barrier(self) -> float:
        """How far the loss rises above the average of the models' losses, at most."""
        return float((self.loss - self.shares @ self._own(self.loss)).max())

    @property
    def accuracy_barrier(self) -> float:
        """How far the accuracy falls below the average of the models' accuracies, at most."""
        return float((self.shares @ self._own(self.accuracy) - self.accuracy).max())

    @property
    def centre(self) -> int:
        """Where the mean of all models stands."""
        return int(np.abs(self.shares - 1 / self.shares.shape[1]).sum(axis=1).argmin())

    def _own(self, values: np.ndarray) -> np.ndarray:
        return values[: self.shares.shape[1]]

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        found = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}
        return finite(found | {"loss_barrier": self.loss_barrier, "accuracy_barrier": self.accuracy_barrier})


def between(models: int, points: int, seed: int = 0) -> np.ndarray:
    """Return shares [S, M]: the models, their mean, and points between.

    For two models ``points`` equally spaced ones, both ends among them; for more, so many drawn evenly in all.

    >>> between(2, 5).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]
    """
    own = np.eye(models)
    if models == 2:
        inner = np.linspace(0, 1, points)[1:-1, None]
        return np.concatenate([own, np.concatenate([1 - inner, inner], axis=1)])
    drawn = rng.stream(seed, "simplex").dirichlet([CONCENTRATION] * models, max(0, points - models - 1))
    return np.concatenate([own, np.full((1, models), 1 / models), drawn])


def walk(ends: Tensor, shares: np.ndarray, ground: Ground, tell: Tell = lambda done, total: None) -> Path:
    """Judge averages of models [M, P] with shares [S, M]."""
    weights = torch.from_numpy(shares).to(ends)
    found = score(ground, lambda start, stop: weights[start:stop] @ ends, len(shares), tell)
    return Path(shares, found.loss, found.accuracy, len(ground.split))


def standard_error(accuracy: float, images: int) -> float:
    """Return that of an accuracy on so many images.

    >>> standard_error(0.5, 100)
    0.05
    """
    return (accuracy * (1 - accuracy) / images) ** 0.5


def retained(accuracy: float, ends: "Sequence[float] | np.ndarray", chance: float) -> float:
    """Return what is kept of what models know beyond chance: (accuracy - chance) / (their mean - chance).

    >>> round(retained(0.5, [0.8, 1.0], 0.1), 3)
    0.5
    """
    return float((accuracy - chance) / (np.mean(ends) - chance))
