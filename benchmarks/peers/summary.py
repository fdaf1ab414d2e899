"""From what processes noted to what is reported: pure arithmetic."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

WARM = 2  # the first epoch that counts for the rate


@dataclass(frozen=True)
class Process:
    """One process: Unix times of its launch and of its first checkpoint, its workers, and its diary's entries."""

    launched: float
    ready: float
    workers: int
    entries: Sequence[Mapping[str, Any]]

    @staticmethod
    def read(report: Path, launched: float) -> "Process":
        """Read a diary."""
        return Process(launched, **json.loads(report.read_text()))


@dataclass(frozen=True)
class Run:
    """What one run of a system came to.

    ``rate``: trained model-images per second with all cores at work: augmentation, updates, logging and checkpoints,
    without evaluation and without each model's first epoch. ``zoo``: wall seconds from the first launch until every
    member is done, with everything. ``start``: seconds from the launch of a process until it has stored its models
    before training, less what counts as warm-up (median over processes). ``warm_up``: seconds a process lost in its
    first epoch and first evaluation against later ones (mean over processes): compilation, mostly. ``memory`` and
    ``gpu_memory``: peak MB of all processes.
    """

    rate: float
    zoo: float
    start: float
    warm_up: float
    memory: float
    gpu_memory: float | None


def measured(
    processes: Sequence[Process], at_once: int, seconds: float, memory: float, gpu_memory: float | None
) -> Run:
    """Reduce the processes of a run.

    >>> times = ((0, 0, 3.0), (1, 5, 1.0), (2, 2, 1.0))  # epoch, seconds, evaluation
    >>> entries = [dict(epoch=e, images=100 * bool(e), seconds=s, evaluation=v) for e, s, v in times]
    >>> run = measured([Process(0.0, 6.0, 1, entries)] * 2, 2, 20.0, 9.0, None)
    >>> run.rate, run.start, run.warm_up
    (100.0, 4.0, 5.0)
    """
    entries = [entry for process in processes for entry in process.entries]
    images, busy = (sum(e[name] for e in entries if e["epoch"] >= WARM) for name in ("images", "seconds"))
    workers = processes[0].workers
    slow = [first_evaluation(process.entries) for process in processes]
    lost = sum(e["seconds"] - e["images"] * busy / images for e in entries if e["epoch"] == 1) + sum(slow)
    start = statistics.median(p.ready - p.launched - less for p, less in zip(processes, slow, strict=True))
    rate = at_once * workers * images / busy
    return Run(rate, seconds, start, lost / (len(processes) * workers), memory, gpu_memory)


def first_evaluation(entries: Sequence[Mapping[str, Any]]) -> float:
    """Return by how many seconds the evaluation before training took longer than later ones usually did."""
    if entries[0]["evaluation"] is None:
        return 0.0
    return entries[0]["evaluation"] - statistics.median(e["evaluation"] for e in entries if e["epoch"])


class Spread(NamedTuple):
    """Median, least and greatest."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Reduce the rounds of one quantity."""
    return Spread(statistics.median(values), min(values), max(values))


Round = Mapping[str, Mapping[str, Any]]  # system → fields of its Run, or {"error": why}


def sound(rounds: Sequence[Round], *systems: str) -> list[Round]:
    """Return the rounds in which all these systems came to an end."""
    return [each for each in rounds if all("rate" in each.get(name, {}) for name in systems)]


def quantity(rounds: Sequence[Round], system: str, name: str) -> Spread | None:
    """Reduce one field of a system's runs; None where no run has it."""
    values = [value for each in sound(rounds, system) if (value := each[system][name]) is not None]
    return spread(values) if values else None


def ratio(rounds: Sequence[Round], ours: str, peer: str) -> Spread | None:
    """Reduce the rates of ours over a peer's, round by round; None where no round has both.

    >>> ratio([{"a": {"rate": 4.0}, "b": {"rate": 2.0}}, {"a": {"rate": 9.0}, "b": {"rate": 3.0}}], "a", "b")
    Spread(median=2.5, low=2.0, high=3.0)
    """
    both = sound(rounds, ours, peer)
    return spread([each[ours]["rate"] / each[peer]["rate"] for each in both]) if both else None


def plain(run: Run) -> dict[str, float | None]:
    """Return a run's fields, rounded to what is worth keeping."""
    return {name: None if value is None else round(value, 3) for name, value in asdict(run).items()}
