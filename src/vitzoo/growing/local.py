"""The local engine: a few worker processes, each given the next job that is ready. It only schedules."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait

from vitzoo.errors import VitzooError
from vitzoo.growing import worker
from vitzoo.growing.events import Event, JobDone, JobFailed, JobStopped
from vitzoo.growing.jobs import Job

GRACE_SECONDS = 8.0


class WorkerDied(VitzooError):
    """A worker process ended without a word (killed, or out of memory)."""


class Pool:
    """Worker processes and what each is doing."""

    def __init__(self, size: int, threads: int):
        context = multiprocessing.get_context("spawn")
        self.pipes: list[Connection] = []
        self.processes = []
        self.doing: dict[int, str | None] = {}
        with _interrupt_blocked():
            for i in range(size):
                ours, theirs = context.Pipe()
                process = context.Process(target=worker.main, args=(theirs, threads, os.getpid()), name=f"vitzoo-{i}")
                process.start()
                theirs.close()
                self.pipes.append(ours)
                self.processes.append(process)
                self.doing[i] = None

    def idle(self) -> list[int]:
        """Workers without a job."""
        return [i for i, job in self.doing.items() if job is None]

    def give(self, i: int, job: Job) -> None:
        """Hand a job to an idle worker; WorkerDied if it is gone."""
        self.doing[i] = job.id
        try:
            self.pipes[i].send(job)
        except (BrokenPipeError, ConnectionResetError):
            raise self._died(i) from None

    def events(self, timeout: float) -> list[tuple[int, Event]]:
        """Wait for what busy workers tell.

        Raises:
            WorkerDied: a worker is gone; the text names its job.
        """
        found = []
        busy = [self.pipes[i] for i, job in self.doing.items() if job is not None]
        for pipe in wait(busy, timeout):
            i = self.pipes.index(pipe)  # type: ignore[arg-type]
            try:
                found.append((i, self.pipes[i].recv()))
            except (EOFError, ConnectionResetError):
                raise self._died(i) from None
        return found

    def _died(self, i: int) -> WorkerDied:
        self.processes[i].join()
        code = self.processes[i].exitcode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        cause = "; out of memory is the usual reason" if code == -signal.SIGKILL else ""
        job = (self.doing[i] or "nothing")[:20]
        return WorkerDied(
            f"A worker process (busy with {job}) {how}{cause}. What was committed stays; "
            "run the same command again to go on."
        )

    def close(self) -> None:
        """Stop all workers: ask, wait a little, then kill; a kill loses nothing that was committed."""
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while any(p.is_alive() for p in self.processes) and time.monotonic() < deadline:
            for pipe in self.pipes:  # keep reading, so that nobody blocks on a full pipe
                try:
                    while pipe.poll(0.01):
                        pipe.recv()
                except (EOFError, OSError):
                    continue
        for pipe in self.pipes:
            pipe.close()
        for process in self.processes:
            process.kill()
            process.join()


@contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Hold SIGINT back while processes start: they inherit that, and so die of no Ctrl-C before they can ignore it."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def run(
    jobs: Sequence[Job], workers: int, threads: int, tell: Callable[[Event], None], tick: Callable[[], None]
) -> list[JobFailed]:
    """Do all jobs, each after those it needs, and return those that failed; what needs a failed job is left out.

    ``tell`` gets every event, ``tick`` is called several times a second and may raise to stop everything.
    """
    waiting = list(jobs)
    done: set[str] = set()
    failed: dict[str, JobFailed] = {}
    pool = Pool(min(workers, len(jobs)), threads)
    try:
        while waiting or any(pool.doing.values()):
            tick()  # first: a signal to the whole group also stops workers, and they get no new job
            waiting = _without_lost(waiting, failed.keys())
            for i in pool.idle():
                ready = next((job for job in waiting if job.needs <= done), None)
                if ready is not None:
                    waiting.remove(ready)
                    pool.give(i, ready)
            for i, event in pool.events(timeout=0.2):
                tell(event)
                if isinstance(event, JobStopped):
                    tick()  # raises if the grower was stopped too
                    raise WorkerDied("A worker process was stopped by SIGTERM. Run the same command again to go on.")
                if isinstance(event, JobDone | JobFailed):
                    pool.doing[i] = None
                    done.add(event.job)
                if isinstance(event, JobFailed):
                    failed[event.job] = event
    finally:
        pool.close()
    return list(failed.values())


def _without_lost(jobs: list[Job], failed: Collection[str]) -> list[Job]:
    """Drop jobs that need a failed job, directly or through others."""
    lost = set(failed)
    while more := {job.id for job in jobs if job.needs & lost} - lost:
        lost |= more
    return [job for job in jobs if job.id not in lost]
