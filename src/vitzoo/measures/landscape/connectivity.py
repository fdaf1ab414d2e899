"""Linear mode connectivity (Frankle et al. 2020): what the loss does on the straight line between two checkpoints.

Two members lie in one basin if no barrier stands between them: children of one backbone often do; networks trained
from different starts do not, unless their units are permuted to match (Ainsworth et al. 2022). Weights are taken as
they are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.images import Images
from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.cache import Arrays, Cache, joint_key
from vitzoo.measures.inference import Places
from vitzoo.measures.plain import finite
from vitzoo.measures.scoring import Ground, score
from vitzoo.measures.tell import Tell, silent
from vitzoo.model.layout import Layout
from vitzoo.zoo import Checkpoint

VERSION = 1


@dataclass(frozen=True)
class End:
    """One end of a line: a member's checkpoint."""

    member: str
    epoch: int


@dataclass(frozen=True)
class Connection:
    """Loss and accuracy at (1-α)·a + α·b of all weights, on a whole split.

    a, b: the ends. alphas: rising from 0 to 1. loss: mean cross-entropy, nats; accuracy: in [0, 1].
    loss_barrier, error_barrier: how far loss and error (1 - accuracy) rise above the straight line between their
        values at the ends, at most; 0 if they do not.
    """

    a: End
    b: End
    alphas: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    loss_barrier: float
    error_barrier: float
    split: str

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data; what is not finite becomes ``None``."""
        return finite(asdict(self))


def connectivity(
    a: Checkpoint,
    b: Checkpoint,
    places: Places,
    points: int = 11,
    split: str = "test",
    device: str = "cpu",
    tell: Tell = silent,
) -> Connection:
    """Evaluate ``points`` equally spaced models from checkpoint ``a`` to ``b`` of one zoo, both ends included.

    All are evaluated together as one population, the way members are evaluated during training. The result is cached
    under both digests.
    InputError if the two are not evaluated alike (other shapes, heads or data) or have no cross-entropy;
    IntegrityError if the bytes of either are damaged; DataError if the images are not at hand.
    """
    if points < 2 or split not in inference.SPLITS:
        known = " or ".join(map(repr, inference.SPLITS))
        raise InputError(f"There is no line of {points} points on split {split!r}; use 2 or more points, and {known}.")
    recipe = _shared_recipe(a, b)
    images = places.labelled(recipe)
    settings = {"fingerprint": images.fingerprint, "points": points, "split": split, "precision": "float32"}
    cache = Cache(a.member.zoo, "connectivity", VERSION, {**inference.evaluation(recipe), "shown": settings})
    key = joint_key([a.sha256, b.sha256])
    found = cache.get(key, dict.fromkeys(("alphas", "loss", "accuracy"), (points,)))
    if found is None:
        layout = Layout.of(recipe.architecture)
        ends = torch.stack([inference.read_row(each, layout) for each in (a, b)])
        found = _walk(ends, np.linspace(0, 1, points), recipe, images, split, device, tell)
        cache.put(key, found)
    return _connection(a, b, found, split)


def barrier(alphas: np.ndarray, values: np.ndarray) -> float:
    """Return how far values rise above the line from the first to the last at most; at least 0.

    >>> barrier(np.array([0, 0.5, 1]), np.array([1.0, 4.0, 3.0]))
    2.0
    """
    return float((values - ((1 - alphas) * values[0] + alphas * values[-1])).max())


def between(ends: Tensor, alphas: np.ndarray) -> Tensor:
    """Return rows [points, P] on the line between two rows [2, P]; the ends are returned as they are."""
    weight = torch.from_numpy(alphas).to(ends)[:, None]
    return (1 - weight) * ends[0] + weight * ends[1]


def _shared_recipe(a: Checkpoint, b: Checkpoint) -> Recipe:
    """Return a recipe that says how both are evaluated."""
    recipes = [inference.recipe_of(each.member) for each in (a, b)]
    names = [each.member.name for each in (a, b)]
    for name, recipe in zip(names, recipes, strict=True):
        if (task := recipe.hyperparameters.task) != "supervised":
            raise InputError(f"{name} has no cross-entropy to follow: its task is {task}. Choose supervised members.")
    differing = _differences(inference.evaluation(recipes[0]), inference.evaluation(recipes[1]))
    if differing:
        raise InputError(
            f"There is no line from {names[0]} to {names[1]}, because they differ in {'; '.join(differing)}. "
            "Choose members of one shape and data set."
        )
    return recipes[0]


def _differences(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Name the fields in which plain data differs, with both values."""
    found = []
    for name in dict.fromkeys([*a, *b]):
        left, right = a.get(name), b.get(name)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            found += _differences(left, right, f"{prefix}{name}.")
        elif left != right:
            found.append(f"{prefix}{name} ({left!r:.60} and {right!r:.60})")
    return found


def _walk(
    ends: Tensor, alphas: np.ndarray, recipe: Recipe, images: Images, split: str, device: str, tell: Tell
) -> Arrays:
    """Return loss and accuracy [points] along the line, float64."""
    ground = Ground(recipe, images.classes, inference.split_of(images, split, device))

    def points(start: int, stop: int) -> Tensor:
        return between(ends, alphas[start:stop])

    tell(0, len(alphas), "points")
    found = score(ground, points, len(alphas), lambda done, total: tell(done, total, "points"))
    return {"alphas": alphas, "loss": found.loss, "accuracy": found.accuracy}


def _connection(a: Checkpoint, b: Checkpoint, found: Arrays, split: str) -> Connection:
    alphas, loss, accuracy = (found[name] for name in ("alphas", "loss", "accuracy"))
    return Connection(
        End(a.member.name, a.epoch),
        End(b.member.name, b.epoch),
        *(tuple(each.tolist()) for each in (alphas, loss, accuracy)),
        loss_barrier=barrier(alphas, loss),
        error_barrier=barrier(alphas, 1 - accuracy),
        split=split,
    )
