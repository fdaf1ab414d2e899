"""The other processes that train a population with this one (``execution.devices``), each on its share of a batch.

The first process of a team is the worker that has the job: it alone reads and writes the zoo and tells what happens. It
starts the others, gives them its state, and they end with it. They meet at a file in a directory of their own, and talk
over the loopback interface (gloo) or between the GPUs (NCCL).
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
from vitzoo.growing.memory import keep_freed_memory, leave_what_stays
from vitzoo.growing.processes import die_with, fate, ignore_interrupt, interrupt_blocked
from vitzoo.training.fitting import Warn, out_of_memory
from vitzoo.training.team import ALONE, Team

TIMEOUT_SECONDS = 600.0  # that a process waits for the others within a step
GRACE_SECONDS = 5.0  # in which one that broke off is expected to say why
GO_ON = "What was committed stays; run the same command again to go on."
LOOPBACK = {"linux": "lo", "darwin": "lo0"}

Companion = Callable[[GrowPopulation, Team, Warn], Iterator[None]]


class CompanionLost(VitzooError):
    """A process of a team is gone, failed or silent, so the others cannot go on.

    ``victim`` says that it may have failed because another did.
    """

    def __init__(self, text: str, exit_code: int = 1, victim: bool = False) -> None:
        super().__init__(text, exit_code, victim)  # all of them: exceptions cross pipes by their arguments
        self.text, self.exit_code, self.victim = text, exit_code, victim

    def __str__(self) -> str:
        return self.text


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
            with ExitStack() as stack:
                with _explained(others, seconds):
                    team = stack.enter_context(opened(Team(0, size), meeting, job.execution.device, seconds))
                with _explained(others, seconds):  # while still in touch: breaking off makes the others fail too
                    yield team, lambda: _hear(others, tell)
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
        leave_what_stays()
        pipe.send(None)
        with opened(team, meeting, job.execution.device, seconds):
            for _ in training:
                pass
            pipe.poll(None)  # the first still needs us, until it closes the pipe or ends us
    except VitzooError as error:
        pipe.send(CompanionLost(str(error), error.exit_code))
    except Exception as error:
        pipe.send(CompanionLost(f"{type(error).__name__}: {error}", victim=isinstance(error, RuntimeError)))


def _wait_until_ready(other: _Other, beat: Beat) -> None:
    while not other.pipe.poll(0.2):
        beat(0.0)
    _next(other)


def _hear(others: list[_Other], tell: Tell) -> None:
    """Pass on what the others warn of, and raise if one is gone."""
    for other in others:
        while other.pipe.poll():
            tell(Note(f"Process {other.rank}: {_next(other)}"))


@contextmanager
def _explained(others: list[_Other], seconds: float) -> Iterator[None]:
    """Raise what went wrong with another process instead of the error that this makes here."""
    try:
        yield
    except RuntimeError as error:
        lost = None if out_of_memory(error) else _reason(str(error), others, seconds)
        if lost is None:
            raise
        raise lost from error


def _reason(error: str, others: list[_Other], seconds: float) -> CompanionLost | None:
    """Return what went wrong with the others; None if nothing did. One that failed with a sum may be a victim too."""
    victims, silent, deadline = [], list(others), time.monotonic() + GRACE_SECONDS
    while heard := wait([other.pipe for other in silent], max(0.0, deadline - time.monotonic())):
        other = next(each for each in silent if each.pipe is heard[0])
        try:
            _next(other)
        except CompanionLost as lost:
            if not lost.victim:
                return lost
            victims.append(lost)
            silent.remove(other)
    if not victims and "timed out" in error.lower():
        return CompanionLost(
            f"The {len(others) + 1} processes that train a population together waited for one another for more than "
            f"{seconds:.0f} seconds. {GO_ON}"
        )
    return next(iter(victims), None)


def _next(other: _Other) -> str | None:
    """Return what a process says next; CompanionLost if that is that it failed, or nothing any more."""
    try:
        said = other.pipe.recv()
    except (EOFError, ConnectionResetError):
        other.process.join(GRACE_SECONDS)
        how = fate(other.process.exitcode)
        raise CompanionLost(f"Process {other.rank} of those that train a population together {how}. {GO_ON}") from None
    if isinstance(said, CompanionLost):
        raise said
    return said
