"""The life of a population: epochs of steps over a matrix of weights [K, P], reported one by one.

``train`` is a generator without side effects on disk: the caller stores what it yields. Everything random is keyed by
(seed, epoch, step), so continuing from a yielded state gives the same bits as never having stopped.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.device import DeviceSplit
from vitzoo.data.order import epoch_order
from vitzoo.data.pipeline import Pipeline
from vitzoo.data.transfer import send
from vitzoo.model.layout import Layout
from vitzoo.training import optim
from vitzoo.training.compute import Compute
from vitzoo.training.depth import keep_factors
from vitzoo.training.evaluate import Beat, evaluate
from vitzoo.training.fitting import Fitting, Warn
from vitzoo.training.gradient import gradient
from vitzoo.training.objectives import OBJECTIVES
from vitzoo.training.passes import Drawn, Problem
from vitzoo.training.schedule import factor

Metrics = dict[str, Any]


@dataclass
class State:
    """What a population carries from epoch to epoch: weights and moments [K, P], and who is still alive."""

    epoch: int
    flat: Tensor
    moments: optim.Moments
    alive: list[bool]

    def copy(self) -> "State":
        """Return a copy on the CPU that later steps do not change."""
        moments = {name: tensor.to("cpu", copy=True) for name, tensor in self.moments.items()}
        return State(self.epoch, self.flat.detach().to("cpu", copy=True), moments, list(self.alive))


@dataclass(frozen=True)
class Epoch:
    """What one epoch left: each member's metrics (None once it is dead), those that died in it, and the state."""

    number: int
    metrics: list[Metrics | None]
    diverged: list[int]
    state: State


@dataclass(frozen=True)
class Population:
    """Members that share a stack, and the data they see. Their recipes differ in optimizer, rates and parent only."""

    recipes: Sequence[Recipe]
    train: DeviceSplit
    test: DeviceSplit
    classes: int
    compute: Compute

    @property
    def shared(self) -> Recipe:
        """The recipe that stands for what all members have in common."""
        return self.recipes[0]

    @property
    def layout(self) -> Layout:
        """Layout of one member's row."""
        return Layout.of(self.shared.architecture)

    @property
    def steps(self) -> int:
        """Steps of one epoch; the last incomplete batch is dropped in training."""
        return len(self.train) // self.shared.hyperparameters.batch_size


def begin(population: Population, starts: Sequence[dict[str, Tensor]]) -> State:
    """Stack the members' first tensors into the state before training."""
    layout, compute = population.layout, population.compute
    flat = torch.stack([layout.pack(tensors) for tensors in starts]).to(compute.device, compute.master)
    groups = optim.arrange([r.hyperparameters for r in population.recipes])
    return State(0, flat, optim.moments(groups, flat), [True] * len(starts))


def shared(population: Population, state: State | None) -> State:
    """Return the state of the first process of a team; the others pass None. Alone, return ``state``."""
    compute, k = population.compute, len(population.recipes)
    if state is None:
        flat = torch.zeros(k, population.layout.width, dtype=compute.master, device=compute.device)
        groups = optim.arrange([r.hyperparameters for r in population.recipes])
        state = State(0, flat, optim.moments(groups, flat), [True] * k)
    head = torch.tensor([state.epoch, *state.alive], dtype=torch.int64, device=compute.device)
    compute.team.copy_from_first(head, state.flat, *state.moments.values())
    epoch, *alive = head.tolist()
    return State(epoch, state.flat, state.moments, list(map(bool, alive)))


def train(
    population: Population, state: State, beat: Beat = lambda share: None, warn: Warn = lambda text: None
) -> Iterator[Epoch]:
    """Train from ``state`` to the last epoch, yielding after every epoch (and before the first, as epoch 0).

    ``beat`` is called before every step with the share of the epoch that is done; raising from it stops the training.
    ``warn`` is told when something does not fit into memory and is computed in smaller micro-batches.
    """
    loop = _Loop(population, state, beat, warn)
    if state.epoch == 0:
        yield loop.report({}, first=True)
    while state.epoch < population.shared.hyperparameters.epochs and any(state.alive):
        before = state.flat.clone()
        state.epoch += 1
        running = loop.epoch()
        yield loop.report(running, before=before)


class _Loop:
    """The moving parts of one run, so that a step reads as a step."""

    def __init__(self, population: Population, state: State, beat: Beat, warn: Warn = lambda text: None):
        recipe = population.shared
        self.population, self.state, self.beat = population, state, beat
        self.hyper, self.arch = recipe.hyperparameters, recipe.architecture
        pipeline = Pipeline(
            recipe.augmentation,
            recipe.hyperparameters,
            recipe.dataset,
            recipe.architecture.image_size,
            population.classes,
        )
        self.objective = OBJECTIVES[self.hyper.task](recipe, pipeline)
        self.problem = Problem(self.arch, population.layout, self.objective, population.compute)
        self.team, self.fitting = population.compute.team, Fitting(population.compute.micro, warn)
        self.groups = optim.arrange([r.hyperparameters for r in population.recipes])
        members = [r.hyperparameters.seed for r in population.recipes]
        self.seeds = list(dict.fromkeys(members))  # siblings with one seed see the same batches
        self.streams = torch.tensor([self.seeds.index(seed) for seed in members], device=state.flat.device)

    def epoch(self) -> Metrics:
        """Run one epoch; return online loss and accuracy [K] and the rate."""
        begun = time.perf_counter()
        k, device = len(self.state.alive), self.state.flat.device
        sums = torch.zeros(2, k, dtype=torch.float64, device=device)
        n, batch, epoch = len(self.population.train), self.hyper.batch_size, self.state.epoch
        orders = [epoch_order(n, batch, seed, epoch) for seed in self.seeds]
        for step, indices in enumerate(np.concatenate(orders, axis=1)):
            self.beat(step / len(orders[0]))
            sums += torch.stack(self.step(step, indices))
        loss, right = self.team.sum(sums)
        seen = len(orders[0]) * batch
        metrics = {
            "train_loss": loss / (seen * self.hyper.views),
            "train_acc": right / (seen * self.hyper.views),
        }
        rate = k * seen / (time.perf_counter() - begun)
        return metrics | {"images_per_second": rate}

    def step(self, step: int, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Draw, differentiate, update; return the summed loss and right answers [K] of this process's share.

        ``indices`` are the positions of the images of each seed in turn.
        """
        found = gradient(self.state.flat, self.problem, self.draw(step, indices), self.fitting)
        grad = found.grad if self.hyper.clip is None else optim.clip_rows(found.grad, self.hyper.clip)
        done = (self.state.epoch - 1) * self.population.steps + step
        scale = factor(self.hyper, done, self.population.steps)
        optim.update(self.groups, self.state.flat, grad, self.state.moments, done + 1, scale, self.state.alive)
        return found.loss, found.right

    def draw(self, step: int, indices: np.ndarray) -> Drawn:
        """Draw a batch and its stochastic depth; members with one seed see the same."""
        keys = [(seed, self.state.epoch, step) for seed in self.seeds]
        batch = self.objective.train_batch(*self.population.train.gather(indices), keys)
        keep = keep_factors(self.hyper.stochastic_depth, self.arch.depth, batch.images.shape[1], keys)
        keep = None if keep is None else send(keep.numpy(), self.state.flat.device)
        return Drawn(batch, keep, self.streams if len(self.seeds) > 1 else None)

    def params(self) -> dict[str, Tensor]:
        """The members' tensors as the model sees them."""
        return self.population.layout.views(self.state.flat.to(self.population.compute.dtype))

    def test(self, split: DeviceSplit, name: str) -> tuple[Tensor, Tensor]:
        """Return the members' mean loss and accuracy [K] on a split."""
        kernels = self.population.compute.kernels
        return evaluate(
            self.params(), self.arch, self.objective, split, (name,), self.beat, self.fitting, self.team, kernels
        )

    def report(self, running: Metrics, before: Tensor | None = None, first: bool = False) -> Epoch:
        """Evaluate, bury the dead, and describe the epoch."""
        self.team.check_equal(self.state.flat, "weights")
        nothing = torch.full((len(self.state.alive),), float("nan"))
        columns: Metrics = {"train_loss": nothing, "train_acc": nothing} | running
        columns["test_loss"], columns["test_acc"] = self.test(self.population.test, "test")
        if self.state.epoch == self.hyper.epochs:
            columns["train_loss_clean"], columns["train_acc_clean"] = self.test(self.population.train, "train")
        if self.fitting.reduced:  # another order of sums: this epoch's bits are not those of the recorded execution
            columns["micro"] = self.fitting.micro
        diverged = [] if first else self.bury(columns, before)
        factor_now = (
            0.0 if first else factor(self.hyper, self.state.epoch * self.population.steps - 1, self.population.steps)
        )
        metrics = [
            self.row(columns, i, factor_now) if alive or i in diverged else None
            for i, alive in enumerate(self.state.alive)
        ]
        return Epoch(self.state.epoch, metrics, diverged, self.state.copy())

    def bury(self, columns: Metrics, before: Tensor | None) -> list[int]:
        """Find members whose loss or weights are no longer finite, put them back to their last finite weights."""
        fine = (
            columns["train_loss"].isfinite() & columns["test_loss"].isfinite() & self.state.flat.isfinite().all(dim=1)
        )
        dead = [i for i, ok in enumerate(fine.tolist()) if self.state.alive[i] and not ok]
        for i in dead:
            assert before is not None
            self.state.alive[i] = False
            self.state.flat[i] = before[i]
            for moment in self.state.moments.values():
                moment[i] = 0
        return dead

    def row(self, columns: Metrics, i: int, factor_now: float) -> Metrics:
        """One member's line of result.json; what is not finite or not known is None."""
        line = {
            name: _number(column[i]) if isinstance(column, Tensor) else _number(column)
            for name, column in columns.items()
        }
        return line | {"lr_now": self.population.recipes[i].hyperparameters.lr * factor_now}


def _number(value: Any) -> float | None:
    number = float(value)
    return number if number - number == 0 else None
