"""The local engine: worker processes on this machine, connected by pipes."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, ClassVar

from vitzoo.growing.cost import available_cores
from vitzoo.growing.engines.contract import Begun, Job, Lost, Message, T
from vitzoo.growing.engines.worker import main
from vitzoo.growing.events import JobDone, JobFailed, JobStopped
from vitzoo.growing.execution import Execution, require
from vitzoo.growing.processes import fate, interrupt_blocked

GRACE_SECONDS = 8.0
KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Worker:
    """A process and our end of its pipe."""

    process: SpawnProcess
    pipe: Connection
    gpus: str | None = None

    def end(self) -> bool:
        """Kill it and return whether it is gone; a process inside a hanging file system is not."""
        self.process.kill()
        self.process.join(KILL_SECONDS)
        self.pipe.close()
        return not self.process.is_alive()

    def fate(self) -> str:
        """Say how it ended."""
        self.process.join()
        return fate(self.process.exitcode)


class LocalEngine:
    """This machine."""

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, *details: Any) -> None:
        return

    def there(self, device: str | None, function: Callable[..., T], *arguments: Any) -> T:
        """Call the function."""
        return function(*arguments)

    def crew(self, zoo: Path, execution: Execution, jobs: int, workers: int | None) -> "LocalCrew":
        """Return worker processes, unless this machine lacks what the zoo was begun with."""
        require(execution)
        gpus = _gpus(execution)
        return LocalCrew(min(jobs, workers or len(gpus) or _room(execution)), gpus)


class LocalCrew:
    """At most ``size`` processes, started when there is a job for them.

    ``gpus``: the GPUs that a process may see, as CUDA_VISIBLE_DEVICES has it; processes take them in turn.
    """

    kind: ClassVar[str] = "A worker process"

    def __init__(self, size: int, gpus: Sequence[str] = ()) -> None:
        self.size = size
        self._gpus = list(gpus)
        self._idle: list[Worker] = []
        self._busy: dict[str, Worker] = {}
        self._news: list[Message] = []

    def __enter__(self) -> "LocalCrew":
        return self

    def room(self) -> int:
        """Return how many more jobs can be given now."""
        return self.size - len(self._busy)

    def give(self, job: Job) -> None:
        """Send a job to a process that has none."""
        worker = self._busy[job.id] = self._idle.pop() if self._idle else self._hire()
        self._news.append(Begun(job.id))
        try:
            worker.pipe.send(job)
        except (BrokenPipeError, ConnectionResetError):
            self._news.append(self._lost(job.id))

    def messages(self, timeout: float) -> list[Message]:
        """Return what busy processes told, waiting for the first of it."""
        found, self._news = self._news, []
        jobs = {worker.pipe: job for job, worker in self._busy.items()}
        for pipe in wait(list(jobs), timeout):
            found.append(self._receive(jobs[pipe]))  # type: ignore[index]
        return found

    def drop(self, job: str) -> bool:
        """Kill the process that has this job."""
        return self._busy.pop(job).end()

    def __exit__(self, *details: Any) -> None:
        """Stop all processes: ask, wait a little, then kill; a kill loses nothing that was committed."""
        workers = [*self._idle, *self._busy.values()]
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while any(worker.process.is_alive() for worker in workers) and time.monotonic() < deadline:
            for worker in workers:
                _drain(worker.pipe)
        for worker in workers:
            worker.end()

    def _hire(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        gpus = self._least_used()
        with interrupt_blocked(), _seeing(gpus):
            process = context.Process(target=main, args=(theirs, os.getpid()), name="vitzoo")
            process.start()
        theirs.close()
        return Worker(process, ours, gpus)

    def _least_used(self) -> str | None:
        used = [worker.gpus for worker in (*self._idle, *self._busy.values())]
        return min(self._gpus, key=used.count, default=None)

    def _receive(self, job: str) -> Message:
        try:
            event = self._busy[job].pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._lost(job)
        if isinstance(event, JobDone | JobFailed):
            self._idle.append(self._busy.pop(job))
        elif isinstance(event, JobStopped):
            self._busy.pop(job).end()  # it is leaving
        return event

    def _lost(self, job: str) -> Lost:
        worker = self._busy.pop(job)
        why = worker.fate()
        worker.pipe.close()
        return Lost(job, why)


def _gpus(execution: Execution) -> list[str]:
    """Return what each worker may see of this machine's GPUs: as many of them as train a population together."""
    if execution.device != "cuda":
        return []
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]
    each = execution.devices
    return [",".join(names[i : i + each]) for i in range(0, len(names) - each + 1, each)]


@contextmanager
def _seeing(gpus: str | None) -> Iterator[None]:
    """Let processes that are started meanwhile see these GPUs only; None: whatever there is."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    try:
        yield
    finally:
        if gpus is not None:
            os.environ.pop("CUDA_VISIBLE_DEVICES")
            os.environ |= {} if before is None else {"CUDA_VISIBLE_DEVICES": before}


def _room(execution: Execution) -> int:
    """Return how many jobs at once suit this machine's cores."""
    return max(1, available_cores() // (execution.threads * execution.devices))


def _drain(pipe: Connection) -> None:
    """Keep reading, so that nobody blocks on a full pipe."""
    try:
        while pipe.poll(0.01):
            pipe.recv()
    except (EOFError, OSError):
        return
