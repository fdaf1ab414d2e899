"""What a plan costs before anything is trained: parameters, FLOPs, checkpoints, bytes on disk, expected time.

One multiply-accumulate (MAC) is two FLOP. A training step costs three forward passes (one forward, two for the
gradients of inputs and weights), so 6 FLOP per MAC and image; evaluation costs 2. Contrastive learning sees two
views of every image. Only matrix products are counted; augmentation, loading and the disk are not.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vitzoo.blueprint import sources
from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Backbone
from vitzoo.model.shapes import forward_macs, parameter_shapes, parameters

BYTES_PER_PARAMETER = 4
#: Stated allowance: name, shape and offsets of a tensor in the header of a safetensors file.
BYTES_PER_TENSOR = 100
#: Stated allowance: the manifest of a checkpoint and its line in result.json.
BYTES_PER_CHECKPOINT = 1000
#: Stated assumption where no rate was measured: GFLOP/s that one CPU core sustains in training.
DEFAULT_GFLOPS_PER_CORE = 100


@dataclass(frozen=True)
class Cost:
    """Cost of one member or of many; FLOPs and images are ``None`` where the number of images is unknown."""

    members: int = 0
    checkpoints: int = 0
    bytes: int = 0
    training_images: int | None = 0
    training_flop: int | None = 0
    evaluation_flop: int | None = 0

    @property
    def flop(self) -> int | None:
        """FLOP of training and evaluation together."""
        return _add(self.training_flop, self.evaluation_flop)

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.members + other.members,
            self.checkpoints + other.checkpoints,
            self.bytes + other.bytes,
            _add(self.training_images, other.training_images),
            _add(self.training_flop, other.training_flop),
            _add(self.evaluation_flop, other.evaluation_flop),
        )


def cost(recipe: Recipe) -> Cost:
    """Cost of growing one member; ``training_images`` counts views.

    Evaluation runs after every epoch, and before the first where epoch 0 is kept.

    >>> from vitzoo.blueprint import expand, load
    >>> member = cost(expand(load("paper"))[0][0])
    >>> member.checkpoints, f"{member.bytes:,}", f"{member.training_flop:.3g}"
    (91, '8,027,915,896', '3.18e+18')
    """
    h = recipe.hyperparameters
    macs = forward_macs(recipe.architecture)
    train, test = sources.images(recipe.dataset, "train"), sources.images(recipe.dataset, "test")
    seen = None if train is None else train * h.views * h.epochs
    tested = None if test is None else test * h.views * (h.epochs + recipe.checkpoints.initial)
    checkpoints = len(recipe.checkpoints.epochs(h.epochs))
    return Cost(
        members=1,
        checkpoints=checkpoints,
        bytes=checkpoints * checkpoint_bytes(recipe.architecture),
        training_images=seen,
        training_flop=None if seen is None else 6 * macs * seen,
        evaluation_flop=None if tested is None else 2 * macs * tested,
    )


def total(recipes: Iterable[Recipe]) -> Cost:
    """Cost of many members together."""
    return sum((cost(recipe) for recipe in recipes), Cost())


def checkpoint_bytes(arch: Backbone) -> int:
    """Bytes of one checkpoint: its parameters and the stated allowances."""
    overhead = len(parameter_shapes(arch)) * BYTES_PER_TENSOR + BYTES_PER_CHECKPOINT
    return parameters(arch) * BYTES_PER_PARAMETER + overhead


def available_cores() -> int:
    """Number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_rate(cores: int) -> float:
    """Assumed FLOP/s of ``cores`` CPU cores, for want of a measurement."""
    return DEFAULT_GFLOPS_PER_CORE * 1e9 * cores


def seconds(recipes: Iterable[Recipe], rate: float, rates: Mapping[Backbone, float] | None = None) -> float | None:
    """Expected seconds of growing at ``rate`` FLOP/s, or at an architecture's own rate in ``rates``.

    ``None`` where the number of images is unknown.
    """
    time = 0.0
    for recipe in recipes:
        if (flop := cost(recipe).flop) is None:
            return None
        time += flop / (rates or {}).get(recipe.architecture, rate)
    return time


def _add(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b
