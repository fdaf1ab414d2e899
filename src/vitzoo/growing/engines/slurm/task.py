"""What a SLURM job runs: one job of ours, stopped in order when its time is up or it has to make room."""

import signal
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

from submitit.helpers import DelayedSubmission

from vitzoo.growing.engines.claims import Claim
from vitzoo.growing.engines.contract import Begun, Job, Message, Requeued
from vitzoo.growing.engines.doing import do
from vitzoo.growing.engines.slurm import journal
from vitzoo.growing.events import JobFailed
from vitzoo.growing.memory import keep_freed_memory

STOP_SECONDS = 60.0  # a step and the writing of an epoch fit into this; what does not is done again


@dataclass
class Task:
    """Called on a node. The job runs in a thread, so that signals, which the main thread gets, can stop and await it.

    SIGUSR2 (submitit's, before the time is up and on preemption): stop at the next step, then submitit puts the same
    SLURM job into the queue again. SIGTERM: stop at the next step and end; the grower submits another SLURM job.
    """

    job: Job
    claim: Claim
    journal: Path
    _stop: threading.Event | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _requeued: bool = field(default=False, init=False)

    def __call__(self) -> None:
        keep_freed_memory()
        self.tell(Begun(self.job.id))
        if not self.claim.path.parent.is_dir():
            text = f"The SLURM node {socket.gethostname()} sees no zoo at {self.claim.path.parent.parent}"
            self.tell(JobFailed(self.job.id, f"{text}. It must be on a file system that every node mounts.", 3, ""))
        elif self.claim.holds():  # else a later grower has taken over
            self._run()

    def checkpoint(self) -> DelayedSubmission:
        """Stop, and return what runs when this SLURM job starts again; submitit calls it in a signal handler."""
        self._requeued = True
        if self._stop is not None and self._thread is not None:
            self._stop.set()
            self._thread.join(STOP_SECONDS)
        return DelayedSubmission(Task(self.job, self.claim, self.journal))

    def tell(self, message: Message) -> None:
        """Write a message into the journal."""
        journal.write(self.journal, message)

    def _run(self) -> None:
        self._stop = threading.Event()
        stop = self._stop
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        self._thread = threading.Thread(target=self._work, name="work", daemon=True)
        self._thread.start()
        while self._thread.is_alive():
            self._thread.join(0.5)  # signal handlers run in between

    def _work(self) -> None:
        assert self._stop is not None
        end = do(self.job, self.tell, self._stop.is_set, self.claim.guard)
        self.tell(Requeued(self.job.id) if self._requeued else end)
