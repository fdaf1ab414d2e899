"""The other processes that train a population with this one (``execution.devices``), each on its share of a batch.

The first process of a team is the worker that has the job: it alone reads and writes the zoo and tells what happens. It
starts the others, gives them its state, and they end with it. They meet at a file in a directory of their own, and talk
over the loopback interface (gloo) or between the GPUs (NCCL).
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from vitzoo.errors import VitzooError
from vitzoo.growing.engines.contract import Beat, Tell
from vitzoo.growing.events import Note
from vitzoo.growing.jobs import GrowPopulation
from vitzoo.growing.memory import keep_freed_memory
from vitzoo.growing.processes import die_with, fate, ignore_interrupt, interrupt_blocked
from vitzoo.training.fitting import Warn, out_of_memory
from vitzoo.training.team import ALONE, Team

TIMEOUT_SECONDS = 600.0  # that a process waits for the others within a step
GRACE_SECONDS = 5.0  # in which one that broke off is expected to say why
GO_ON = "What was committed stays; run the same command again to go on."
LOOPBACK = {"linux": "lo", "darwin": "lo0"}

Companion = Callable[[GrowPopulation, Team, Warn], Iterator[None]]


class CompanionLost(VitzooError):
    """A process of a team is gone, failed or silent, so the others cannot go on."""


@dataclass(frozen=True)
class _Failed:
    text: str
    exit_code: int


@dataclass(frozen=True)
class _Other:
    """Another process of the team and our end of its pipe."""

    rank: int
    process: SpawnProcess
    pipe: Connection


@contextmanager
def company(
    job: GrowPopulation, companion: Companion, tell: Tell, beat: Beat, seconds: float = TIMEOUT_SECONDS
) -> Iterator[tuple[Team, Callable[[], None]]]:
    """Start the other processes of a job; yield the team, and what is to be called often to hear what they have to say.

    ``companion`` is what they do: a generator function that prepares up to its first yield, when it is not yet in
    touch with the others, and then trains. ``beat`` is called while waiting for them.

    Raises:
        CompanionLost: one of them died or failed, or was silent for ``seconds``.
    """
    size = job.execution.devices
    if size == 1:
        yield ALONE, lambda: None
        return
    with TemporaryDirectory(prefix="vitzoo-") as folder:
        meeting = Path(folder) / "meeting"
        others = [_start(rank, job, companion, meeting, seconds) for rank in range(1, size)]
        try:
            for other in others:
                _wait_until_ready(other, beat)
            with opened(Team(0, size), meeting, job.execution.device, seconds) as team:
                yield team, lambda: _hear(others, tell)
        except RuntimeError as error:
            reason = _reason(error, others, seconds)
            if reason is None:
                raise
            raise reason from error
        finally:
            for other in others:
                other.process.kill()  # they wait for it; what they hold is held here too
                other.process.join()
                other.pipe.close()


@contextmanager
def opened(team: Team, meeting: Path, device: str, seconds: float = TIMEOUT_SECONDS) -> Iterator[Team]:
    """Be in touch with the other processes of a team, which meet at a file that is not there before."""
    from torch import distributed

    if sys.platform in LOOPBACK:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK[sys.platform])
    if device == "cuda":
        torch.cuda.set_device(team.rank)
    distributed.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        init_method=meeting.as_uri(),
        rank=team.rank,
        world_size=team.size,
        timeout=timedelta(seconds=seconds),
    )
    try:
        yield team
    finally:
        distributed.destroy_process_group()


def _start(rank: int, job: GrowPopulation, companion: Companion, meeting: Path, seconds: float) -> _Other:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (rank, job, companion, meeting, seconds, theirs, os.getpid())
    with interrupt_blocked():
        process = context.Process(target=_main, args=arguments, name=f"vitzoo-rank-{rank}", daemon=True)
        process.start()
    theirs.close()
    return _Other(rank, process, ours)


def _main(
    rank: int, job: GrowPopulation, companion: Companion, meeting: Path, seconds: float, pipe: Connection, first: int
) -> None:
    """Be process ``rank`` of the team until the first process ends it."""
    die_with(first)
    ignore_interrupt()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # schedulers signal the whole group; the first stops at a step
    keep_freed_memory()
    torch.set_num_threads(job.execution.threads)
    team = Team(rank, job.execution.devices)
    try:
        training = companion(job, team, pipe.send)
        next(training)
        pipe.send(None)
        with opened(team, meeting, job.execution.device, seconds):
            for _ in training:
                pass
            pipe.poll(None)  # the first still needs us, until it closes the pipe or ends us
    except Exception as error:
        known = isinstance(error, VitzooError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        pipe.send(_Failed(text, error.exit_code if known else 1))


def _wait_until_ready(other: _Other, beat: Beat) -> None:
    while not other.pipe.poll(0.2):
        beat(0.0)
    _next(other)


def _hear(others: list[_Other], tell: Tell) -> None:
    """Pass on what the others warn of, and raise if one is gone."""
    for other in others:
        while other.pipe.poll():
            tell(Note(f"Process {other.rank}: {_next(other)}"))


def _reason(error: RuntimeError, others: list[_Other], seconds: float) -> CompanionLost | None:
    """Return which process made a sum over them fail; None if the error has nothing to do with them."""
    if out_of_memory(error):
        return None
    try:
        while heard := wait([other.pipe for other in others], GRACE_SECONDS):
            _next(next(other for other in others if other.pipe is heard[0]))
    except CompanionLost as lost:
        return lost
    if "timed out" not in str(error).lower():
        return None
    return CompanionLost(
        f"The {len(others) + 1} processes that train a population together waited for one another for more than "
        f"{seconds:.0f} seconds. {GO_ON}"
    )


def _next(other: _Other) -> str | None:
    """Return what a process says next; CompanionLost if that is that it failed, or nothing any more."""
    try:
        said = other.pipe.recv()
    except (EOFError, ConnectionResetError):
        other.process.join(GRACE_SECONDS)
        raise CompanionLost(
            f"Process {other.rank} of those that train a population together {fate(other.process.exitcode)}. {GO_ON}"
        ) from None
    if isinstance(said, _Failed):
        lost = CompanionLost(said.text)
        lost.exit_code = said.exit_code
        raise lost
    return said
