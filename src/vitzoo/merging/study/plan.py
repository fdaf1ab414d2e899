"""Which averages there are: windows along a member's fine-tuning, and soups of members that differ in one factor alone.

Windows: Kaddour, "Stop wasting my time!" (LAWA, 2022). Soups: Wortsman et al., "Model soups" (2022); over one factor
at a time: the zoo's paper, Figure 2b.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitzoo.blueprint.recipe import Recipe
from vitzoo.measures.selection import Row

#: What only one optimizer reads, and so belongs to the choice of it.
OF_OPTIMIZER = ("momentum", "betas")


@dataclass(frozen=True)
class Trajectory:
    """A fine-tuned member: its recipe, and the catalogue's rows of its checkpoints after training began, by epoch.

    ``rows`` may lack epochs that the recipe keeps, but not the last one.
    """

    recipe: Recipe
    rows: Mapping[int, Row]

    @property
    def name(self) -> str:
        """The member's name."""
        return self.last["member"]

    @property
    def planned(self) -> list[int]:
        """The epochs that are kept, without epoch 0, which is before training."""
        epochs = self.recipe.checkpoints.epochs(self.recipe.hyperparameters.epochs)
        return [epoch for epoch in epochs if epoch > 0]

    @property
    def last(self) -> Row:
        """The row of the last checkpoint."""
        return self.rows[max(self.rows)]

    def windows(self, size: int) -> dict[int, tuple[Row, ...]]:
        """Return every so many consecutive checkpoints, by the epoch of the last of them; those that lack one are not.

        Size 1 is the checkpoints themselves.
        """
        planned = self.planned
        found = {
            planned[end - 1]: [self.rows.get(epoch) for epoch in planned[end - size : end]]
            for end in range(size, len(planned) + 1)
        }
        return {epoch: tuple(row for row in rows if row) for epoch, rows in found.items() if all(rows)}


@dataclass(frozen=True)
class Soup:
    """Members that share their parent and all factors but one, as rows of their last checkpoints, and their levels."""

    factor: str
    rows: tuple[Row, ...]
    levels: tuple[Any, ...]


def soups(trajectories: Iterable[Trajectory]) -> list[Soup]:
    """Return all soups of members that are evaluated alike: for every factor, the largest sets that differ in it alone.

    Members of other shapes, heads or data are not evaluated alike (``vitzoo.measures.inference.evaluation``).
    """
    settled = [(trajectory.last, settings(trajectory.recipe)) for trajectory in trajectories]
    found = []
    for factor in varying([factors for _, factors in settled]):
        sets: dict[str, list[tuple[Row, Any]]] = {}
        for row, factors in settled:
            rest = {name: value for name, value in factors.items() if name != factor}
            key = json.dumps([row["parent_member"], row["parent_sha256"], rest], sort_keys=True)
            sets.setdefault(key, []).append((row, factors[factor]))
        found += [Soup(factor, *zip(*alike, strict=True)) for alike in sets.values() if len(alike) > 1]
    return found


def varying(factors: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the factors that have two values at least, in their order.

    >>> varying([{"seed": 1, "lr": 0.1}, {"seed": 2, "lr": 0.1}])
    ['seed']
    """
    names = dict.fromkeys(name for each in factors for name in each)
    return [name for name in names if len({json.dumps(each.get(name), sort_keys=True) for each in factors}) > 1]


def settings(recipe: Recipe) -> dict[str, Any]:
    """Return the factors that members which are evaluated alike may differ in, as plain JSON data.

    What only one optimizer reads is of one factor with it, and so is all of an augmentation.
    """
    hyper = recipe.hyperparameters.model_dump(mode="json")
    hyper["optimizer"] = [hyper["optimizer"], *(hyper.pop(name) for name in OF_OPTIMIZER)]
    return {**hyper, **recipe.augmentation.model_dump(mode="json"), "init": recipe.architecture.init}
