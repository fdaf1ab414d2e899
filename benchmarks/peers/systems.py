"""The systems that are compared, and how each uses the machine: the way its users would."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peers.workload import Task, Workload


@dataclass(frozen=True)
class System:
    """A module that takes a task, and its layout.

    own: one process that decides for itself; model: a process a member; stack: K members a process, with all cores,
    one process after another; split: the members dealt to one process with one thread for each core.
    """

    title: str
    module: str
    layout: Literal["own", "model", "stack", "split"]
    flags: tuple[str, ...] = ()


SYSTEMS = {
    "ours": System("vitzoo grow", "peers.ours", "own"),
    "p0": System("P0: the paper's released loop, repaired", "peers.released", "model"),
    "p1": System("P1: PyTorch and timm", "peers.timm_loop", "model"),
    "p2": System("P2: P1 compiled", "peers.timm_loop", "model", ("--compile",)),
    "p5": System("P5: torch.func and vmap over timm, one process", "peers.vmap", "stack"),
    "p5-split": System("P5: torch.func and vmap over timm, a process a core", "peers.vmap", "split"),
    "step-ours": System("step alone: ours", "peers.pure", "stack", ("ours",)),
    "step-p1": System("step alone: P1", "peers.pure", "stack", ("p1",)),
    "step-p5": System("step alone: P5", "peers.pure", "stack", ("p5",)),
}


@dataclass(frozen=True)
class Machine:
    """What there is to use: CPU cores, processes at once that share a GPU, and the most members of one vmap."""

    cores: int
    at_once: int = 1
    k: int | None = None


def cores() -> int:
    """Number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def deal(members: int, hands: int) -> list[tuple[int, ...]]:
    """Deal members to processes.

    >>> deal(5, 2)
    [(0, 2, 4), (1, 3)]
    """
    return [tuple(range(i, members, hands)) for i in range(min(hands, members))]


def plan(name: str, w: Workload, folder: Path, machine: Machine) -> tuple[list[Task], int]:
    """Return the processes that train a workload, and how many of them run at a time."""
    system, gpu = SYSTEMS[name], w.device == "cuda"
    if system.module == "peers.pure":  # for diagnosis: one process, one core
        return _tasks(w, folder, [tuple(range(w.members))], 1, 0), 1
    if system.layout == "own":
        return _tasks(w, folder, [tuple(range(w.members))], None, 0), 1
    if system.layout == "stack":
        hands = -(-w.members // (machine.k or w.members))
        return _tasks(w, folder, deal(w.members, hands), None, min(16, machine.cores) if gpu else 0), 1
    if system.layout == "split":
        return _tasks(w, folder, deal(w.members, machine.cores), 1, 0), machine.cores
    at_once = min(machine.at_once if gpu else machine.cores, w.members)
    # On a CPU a loader's processes would only take cores from training; the released loop is kept as it is.
    loaders = max(1, min(16, machine.cores // at_once)) if gpu else int(name == "p0")
    return _tasks(w, folder, deal(w.members, w.members), None if gpu else 1, loaders), at_once


def _tasks(
    w: Workload, folder: Path, shares: Sequence[tuple[int, ...]], threads: int | None, loaders: int
) -> list[Task]:
    return [Task(w, share, str(folder / f"process_{i}"), threads, loaders) for i, share in enumerate(shares)]
