"""Measure how many FLOP/s this machine sustains in training steps, for the expected time that ``vitzoo plan`` prints.

A step is measured as it is trained: the population's size, its augmentation, its optimizer, on synthetic images. All
workers measure at the same time, because cores share memory bandwidth. Evaluation, loading and the disk are left out.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import TYPE_CHECKING

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Backbone
from vitzoo.growing.cost import cost
from vitzoo.growing.execution import Execution
from vitzoo.growing.memory import keep_freed_memory, leave_what_stays
from vitzoo.model.shapes import forward_macs

if TYPE_CHECKING:
    from vitzoo.data.device import DeviceSplit

#: FLOP/s of one process that the batch is shrunk for, so that a step fits well into the time there is.
GUESS = {"cpu": 1e11, "cuda": 1e13}
STEPS_PER_EPOCH = 8
WARM_UP, FEWEST = 1, 2  # steps that are not counted, and that are counted however long they take
PATIENCE = 120.0  # seconds that processes wait for one another


class _Enough(Exception):
    """Ends the training once it is measured."""


@dataclass(frozen=True)
class Measured:
    """What was measured: FLOP/s of all processes together, training stacks of ``members`` on ``batch_size`` images."""

    architecture: Backbone
    rate: float
    processes: int
    members: int
    batch_size: int


class Stopwatch:
    """A beat of the training loop: times whole training steps and raises once there are enough."""

    def __init__(self, seconds: float, synchronize: Callable[[], object]) -> None:
        self.limit, self.synchronize = seconds, synchronize
        self.steps, self.seconds = -WARM_UP, 0.0
        self.last: tuple[float, float] | None = None  # share of the epoch and time of the beat before

    def beat(self, share: float) -> None:
        """Take the time since the last beat as a step, unless the epoch ended in between."""
        self.synchronize()
        now = time.perf_counter()
        if self.last is not None and self.last[0] < share < 1.0:
            self.steps += 1
            self.seconds += now - self.last[1] if self.steps > 0 else 0.0
        if self.steps >= FEWEST and self.seconds >= self.limit:
            raise _Enough
        self.last = share, time.perf_counter()


def measure(recipe: Recipe, execution: Execution, seconds: float = 1.0, members: int | None = None) -> float:
    """Return the FLOP/s that this process sustains in training steps of a population like ``recipe``.

    ``members`` is the size of the stack, by default the largest that ``execution`` allows. Large models are measured
    on smaller batches, so that a call takes a few times ``seconds`` at most.
    """
    import torch

    from vitzoo.growing.computing import compute_of
    from vitzoo.training import loop
    from vitzoo.training.start import from_scratch

    k = members or execution.limit(recipe)
    small = _shrunk(recipe, batch_size(recipe, execution, k, seconds))
    train, test = (noise(small, n, execution.device) for n in (STEPS_PER_EPOCH * small.hyperparameters.batch_size, 2))
    population = loop.Population([small] * k, train, test, small.dataset.classes or 2, compute_of(small, execution))
    watch = Stopwatch(seconds, torch.cuda.synchronize if execution.device == "cuda" else lambda: None)
    try:
        for _ in loop.train(population, loop.begin(population, [from_scratch(small)] * k), watch.beat):
            pass
    except _Enough:
        pass
    return watch.steps * _step_flop(small, k) / watch.seconds


def batch_size(recipe: Recipe, execution: Execution, members: int, seconds: float) -> int:
    """Return the recipe's batch size, or an even number below it if a step would take more than half the time."""
    one = _step_flop(recipe, members) / recipe.hyperparameters.batch_size
    most = int(GUESS[execution.device] * seconds / 2 / one)
    return min(recipe.hyperparameters.batch_size, max(2, most - most % 2))


def calibrate(
    groups: Iterable[Sequence[Recipe]],
    execution: Execution,
    processes: int,
    seconds: float,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Measured]:
    """Measure every distinct architecture among populations, on ``processes`` processes at the same time.

    ``seconds`` is for all architectures together, without the start of the processes; ``tell(done, total)`` is called
    before each. Members of one architecture are represented by their most expensive population.
    """
    return measure_all(_representatives(groups), execution, processes, seconds, tell)


def measure_all(
    groups: Sequence[Sequence[Recipe]],
    execution: Execution,
    processes: int,
    seconds: float,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Measured]:
    """Measure every one of some populations, as ``calibrate`` does."""
    each = max(0.3, seconds / max(1, len(groups)))
    context = multiprocessing.get_context("spawn")
    start = (context.Barrier(processes), execution.threads)
    found = []
    with ProcessPoolExecutor(processes, context, _begin, start) as pool:
        for done, group in enumerate(groups):
            tell(done, len(groups))
            recipe, k = group[0], len(group)
            rates = [pool.submit(_together, recipe, execution, each, k) for _ in range(processes)]
            rate = sum(future.result() for future in rates)
            size = batch_size(recipe, execution, k, each)
            found.append(Measured(recipe.architecture, rate, processes, k, size))
    return found


def rates(measured: Iterable[Measured], recipes: Iterable[Recipe]) -> dict[Backbone, float]:
    """Return the FLOP/s of every architecture among the recipes, however it is initialised."""
    known = {_shape(one.architecture): one.rate for one in measured}
    return {recipe.architecture: known[_shape(recipe.architecture)] for recipe in recipes}


def _representatives(groups: Iterable[Sequence[Recipe]]) -> list[Sequence[Recipe]]:
    best: dict[Backbone, Sequence[Recipe]] = {}
    for group in groups:
        shape = _shape(group[0].architecture)
        if shape not in best or expense(group) > expense(best[shape]):
            best[shape] = group
    return list(best.values())


def expense(group: Sequence[Recipe]) -> float:
    """Return the FLOP of training members that are alike but for what may differ in a stack."""
    return len(group) * (cost(group[0]).training_flop or 0)


def _shape(architecture: Backbone) -> Backbone:
    return architecture.model_copy(update={"init": "timm"})


def _step_flop(recipe: Recipe, members: int) -> float:
    h = recipe.hyperparameters
    return 6.0 * forward_macs(recipe.architecture) * h.batch_size * h.views * members


def _shrunk(recipe: Recipe, batch: int) -> Recipe:
    """Return the recipe with another batch size and no end; warm-up would only make steps of length zero."""
    hyper = {"batch_size": batch, "epochs": 100_000, "warmup_epochs": 0.0, "lr": min(recipe.hyperparameters.lr, 1e-3)}
    return recipe.model_copy(update={"hyperparameters": recipe.hyperparameters.model_copy(update=hyper)})


def noise(recipe: Recipe, n: int, device: str) -> "DeviceSplit":
    """Return ``n`` random images and labels."""
    from vitzoo import rng
    from vitzoo.data.device import DeviceSplit

    side = recipe.dataset.cache_size or recipe.architecture.image_size
    draw = rng.stream("calibrate", n)
    images = draw.integers(0, 256, (n, side, side, 3), dtype="uint8")
    return DeviceSplit(images, draw.integers(0, recipe.dataset.classes or 2, n), device)


_barrier: "Barrier | None" = None


def _begin(barrier: "Barrier", threads: int) -> None:
    """Prepare a process as a worker is prepared."""
    global _barrier
    keep_freed_memory()

    import torch

    from vitzoo.training import loop  # noqa: F401  (imported now, so that it is left out of the rounds below)

    leave_what_stays()
    torch.set_num_threads(threads)
    _barrier = barrier


def _together(recipe: Recipe, execution: Execution, seconds: float, members: int) -> float:
    """Measure once all processes are ready; waiting also keeps one process from taking another's turn."""
    assert _barrier is not None
    _barrier.wait(PATIENCE)
    return measure(recipe, execution, seconds, members)
