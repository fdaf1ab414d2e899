"""Real processes that train a little population together, each its share of every batch."""

import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from little_population import LINEAR, MIXED, MLP, PROJECTION, VIEWS, population, recipe

from vitzoo.growing.company import opened
from vitzoo.training import loop
from vitzoo.training.compute import Compute
from vitzoo.training.start import from_scratch
from vitzoo.training.team import Team

TOKENS = 5


class Case(NamedTuple):
    """What is trained: a head and hyperparameters, seeds, precision, micro-batch, and the epoch to go on from."""

    name: str
    head: Any
    more: dict[str, Any]
    seeds: Sequence[int] = (7, 8, 7)
    precision: str = "float64"
    micro: int | None = None
    after: int = 0


CASES = [
    Case("supervised", LINEAR, MIXED | {"clip": 1.0}),
    Case("mlp", MLP, {"stochastic_depth": 0.3, "batch_size": 15}),
    Case("contrastive", PROJECTION, VIEWS),
    Case("contrastive, odd", PROJECTION, VIEWS | {"batch_size": 13}, (7, 7)),
    Case("supervised, micro", MLP, MIXED, micro=3 * TOKENS),
    Case("contrastive, micro", PROJECTION, VIEWS, micro=5 * TOKENS),
    Case("one member", LINEAR, MIXED, (7,)),
    Case("float32", LINEAR, MIXED, precision="float32"),
    Case("bf16", PROJECTION, VIEWS, precision="bf16"),
    Case("goes on", PROJECTION, VIEWS, after=1),
]


def life(case: Case, team: Team = Team()) -> loop.Epoch:
    """Train to the end; where the case says so, go on from a copy of the state after some epochs."""
    recipes = [
        recipe(case.head, **case.more, seed=seed, lr=1e-3 * (i + 1), epochs=2) for i, seed in enumerate(case.seeds)
    ]
    micro = case.micro if team.size > 1 else None
    stack = replace(population(recipes, case.precision), compute=Compute("cpu", case.precision, micro=micro, team=team))
    state = loop.begin(stack, list(map(from_scratch, recipes))) if team.rank == 0 else None
    if case.after:
        epochs = loop.train(stack, loop.shared(stack, state))
        state = next(epoch.state.copy() for epoch in epochs if epoch.number == case.after)
        epochs.close()
    return list(loop.train(stack, loop.shared(stack, state if team.rank == 0 else None)))[-1]


def lives(size: int) -> list[list[tuple[Any, list[Any]]]]:
    """Train every case in a team of so many processes; return weights and metrics, by process and case."""
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as folder:
        pipes, processes = [], []
        for rank in range(size):
            ours, theirs = context.Pipe(duplex=False)
            processes.append(context.Process(target=_member, args=(rank, size, Path(folder) / "meeting", theirs)))
            processes[-1].start()
            theirs.close()
            pipes.append(ours)
        try:
            return [pipe.recv() for pipe in pipes]
        finally:
            for process in processes:
                process.join(10)
                process.kill()


def _member(rank: int, size: int, meeting: Path, pipe: Any) -> None:
    torch.set_num_threads(1)
    with opened(Team(rank, size), meeting, "cpu", 60) as team:
        found = [life(case, team) for case in CASES]
        pipe.send([(epoch.state.flat.numpy(), epoch.metrics) for epoch in found])
