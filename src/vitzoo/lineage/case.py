"""A case of lineage to be recovered: what each method may ask for, computed once and only if it is asked for."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vitzoo.errors import InputError
from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.gather import Tell, gather
from vitzoo.lineage.methods.official import Differences, differences
from vitzoo.lineage.methods.spectral import effective_ranks
from vitzoo.lineage.methods.spider import trees
from vitzoo.lineage.models import Models

if TYPE_CHECKING:
    from vitzoo.lineage.shown import Shown


class Case:
    """Some models, and the number of trees that methods are told which must know it."""

    def __init__(
        self,
        models: Models,
        trees: int = 1,
        tell: Tell = lambda done, total: None,
        shown: "Callable[[], Shown] | None" = None,
    ) -> None:
        self.models, self.trees, self.shown = models, trees, shown
        self._tell = tell

    @cached_property
    def evidence(self) -> Evidence:
        """Distances and moments of all parts."""
        return gather(self.models, self._tell)

    @property
    def heads(self) -> np.ndarray:
        """Number of each model's shape of head [n]."""
        numbers = {head: i for i, head in enumerate(dict.fromkeys(self.models.heads))}
        return np.array([numbers[head] for head in self.models.heads])

    @cached_property
    def likeness(self) -> np.ndarray:
        """CKA of models, linearised at one another, with what they are [n, n]; within trees only."""
        from vitzoo.lineage.methods.linearised import similarities  # it needs torch

        if self.shown is None:
            raise InputError("This method looks at images: use it on a zoo, and say how many with --images.")
        found = self.shown()
        number = trees(self.evidence)
        return similarities(found.params, found.images, found.architecture, number[:, None] == number[None, :])

    @cached_property
    def differences(self) -> Differences:
        """What official MoTHer asks for: a pass over every pair."""
        return differences(x.reshape(len(x), -1) for _, x in self.models.matrices("square"))

    @cached_property
    def outlying(self) -> np.ndarray:
        """Kurtosis of the attention's output maps, summed [n]."""
        outputs = np.array([part.name.endswith("attn.proj.weight") for part in self.evidence.parts])
        return self.evidence.kurtosis(outputs).sum(axis=0)

    @cached_property
    def ranks(self) -> np.ndarray:
        """Mean effective rank of the matrices [n]."""
        return effective_ranks(x for _, x in self.models.matrices("matrices"))
