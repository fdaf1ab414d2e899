"""What methods may know of models: numbers about their backbones' weights, without names, order or metadata.

One pass over the weights gives, for every part of the backbone, the models' squared distances from one another and the
moments of each one's numbers. Distances come from inner products of differences from a reference, so that small steps
keep their digits (see ``vitzoo.measures.gram``); a first look at a sample of the numbers finds for every model one
near it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vitzoo.measures import moments
from vitzoo.measures.scopes import SCOPES, Part


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of the backbones of n models, part by part (a tensor; a fused one is three).

    ``squared`` [L, n, n] are squared L2 distances, ``norms`` [L, n] squared L2 norms, ``moments`` [L, n, 5] as
    ``measures.moments`` has them.
    """

    parts: Sequence[Part]
    squared: np.ndarray
    moments: np.ndarray

    def __len__(self) -> int:
        return self.squared.shape[1]

    @cached_property
    def total(self) -> np.ndarray:
        """Squared L2 distances between whole backbones [n, n]."""
        return self.squared.sum(axis=0)

    def norms(self, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Squared L2 norms [n] of the chosen parts, by default of whole backbones."""
        count, mean, m2 = np.moveaxis(self.moments[chosen][..., :3], -1, 0)
        return (m2 + count * mean**2).sum(axis=0)

    def within(self, scope: str) -> np.ndarray:
        """Return which parts a scope of ``measures.scopes`` holds, bool [L]."""
        return np.array([SCOPES[scope].holds(part.name, part.shape) for part in self.parts])

    def kurtosis(self, chosen: np.ndarray) -> np.ndarray:
        """Return the excess kurtosis [l, n] of the chosen parts; 0 where the numbers of a part do not vary."""
        return np.nan_to_num(moments.statistics(self.moments[chosen])["kurtosis"])

    def take(self, which: np.ndarray) -> "Evidence":
        """Return what is known of some of the models, in the order asked for."""
        return Evidence(self.parts, self.squared[:, which][:, :, which], self.moments[:, which])
