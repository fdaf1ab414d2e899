"""Zoos whose populations are trained by two processes each, and processes of a team that go wrong."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from vitzoo.blueprint import load
from vitzoo.errors import DataError
from vitzoo.growing.execution import Execution
from vitzoo.training.team import Team
from vitzoo.zoo import Zoo

TEXT = """\
vitzoo: 1
name: pair
licence: CC0-1.0
pretraining:
  architecture: {image_size: 8, patch_size: 4, dim: 8, depth: 1, heads: 2, head: {outputs: 6}}
  dataset: {source: digits, train_limit: 128, test_limit: 50}
  hyperparameters: {seed: 1, epochs: 2, batch_size: 32, lr: 3e-3, task: contrastive, temperature: 0.1}
finetuning:
  dataset: {source: digits, train_limit: 128, test_limit: 50}
  hyperparameters: {seed: 1, epochs: 10, batch_size: 32, lr: 1e-3, mixup: 0.8, stochastic_depth: 0.1}
  checkpoints: {every: 5}
  grid:
    product:
      hyperparameters.optimizer: [adamw, sgd]
"""


def execution(devices: int = 2, micro: int | None = None) -> Execution:
    """Torch's kernels in float32, two members a stack."""
    return Execution.model_validate(
        {"device": "cpu", "precision": "float32", "stack": 2, "tokens": 8192, "devices": devices, "micro": micro}
    )


def begin(path: Path, blueprint: Path, devices: int = 2, micro: int | None = None) -> Zoo:
    """Begin a zoo without growing it."""
    loaded = load(blueprint)
    return Zoo.create(
        path,
        name=loaded.name,
        licence=loaded.licence,
        blueprint=loaded.to_yaml(),
        execution=execution(devices, micro).model_dump(),
    )


def job(devices: int = 2) -> Any:
    """As much of a job as a team needs to know."""
    return SimpleNamespace(execution=execution(devices))


def adds(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    """Add up ones with the others, three times."""
    yield
    for _ in range(3):
        team.sum(torch.ones(2))
        yield


def warns(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    yield
    warn("it is tight")
    yield from adds(job, team, warn)


def fails_early(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    raise DataError("The data is not there.")
    yield


def fails_late(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    yield
    team.sum(torch.ones(2))
    raise DataError("The data is gone.")


def breaks(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    yield
    raise ZeroDivisionError("a bug")


def is_killed(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    """The last of the team is."""
    yield
    team.sum(torch.ones(2))
    if team.rank == team.size - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    team.sum(torch.ones(2))


def is_killed_early(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield


def hangs(job: Any, team: Team, warn: Callable[[str], None]) -> Iterator[None]:
    yield
    time.sleep(100)
