"""SLURM jobs as workers: submitted through submitit, watched through their journals and their states."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vitzoo.growing.engines.claims import Claims
from vitzoo.growing.engines.contract import Job, Lost, Message
from vitzoo.growing.engines.slurm.journal import Reader
from vitzoo.growing.engines.slurm.task import Task
from vitzoo.growing.events import JobDone, JobFailed, JobStopped

READ_SECONDS = 1.0  # between two looks at the journals
STATE_SECONDS = 30.0  # between two questions to SLURM


@dataclass
class Submission:
    """A SLURM job and where it writes what it tells."""

    slurm: Any
    reader: Reader


class SlurmCrew:
    """At most ``size`` SLURM jobs in the queue at once."""

    kind: ClassVar[str] = "A SLURM job"

    def __init__(self, executor: Any, zoo: Path, folder: Path, size: int) -> None:
        self.executor, self.zoo, self.folder, self.size = executor, zoo, folder, size
        self._claims = Claims(zoo)
        self._submitted: dict[str, Submission] = {}
        self._next_read = self._next_state = 0.0

    def __enter__(self) -> "SlurmCrew":
        self._claims.clear()
        return self

    def room(self) -> int:
        """Return how many more jobs may be in the queue."""
        return self.size - len(self._submitted)

    def give(self, job: Job) -> None:
        """Submit a SLURM job for it."""
        claim = self._claims.give(job.id)
        journal = self.folder / f"{claim.path.stem}.jsonl"
        self._submitted[job.id] = Submission(self.executor.submit(Task(job, claim, journal)), Reader(journal))

    def messages(self, timeout: float) -> list[Message]:
        """Return what SLURM jobs wrote, and which of them are gone."""
        now = time.monotonic()
        if now < self._next_read:
            time.sleep(min(timeout, self._next_read - now))
            return []
        self._next_read = now + READ_SECONDS
        force = now >= self._next_state
        if force:
            self._next_state = now + STATE_SECONDS
        found: list[Message] = []
        for job in list(self._submitted):
            found += self._news(job, force)
            force = False  # one question is about all
        return found

    def drop(self, job: str) -> bool:
        """Cancel the SLURM job; should it go on for a while, its claim is void."""
        self._claims.end(job)
        _cancel(self._submitted.pop(job))
        return True

    def __exit__(self, *details: Any) -> None:
        """Make all claims void and cancel all SLURM jobs."""
        self._claims.clear()
        for submission in self._submitted.values():
            _cancel(submission)

    def _news(self, job: str, force: bool) -> list[Message]:
        submission = self._submitted[job]
        gone = submission.slurm.done(force_check=force)  # first: what it wrote last is read after it is gone
        found = submission.reader.news()
        if any(isinstance(message, JobDone | JobFailed | JobStopped) for message in found):
            self._end(job)
        elif gone:
            self._end(job)
            found.append(Lost(job, _fate(submission)))
        return found

    def _end(self, job: str) -> None:
        self._claims.end(job)
        del self._submitted[job]


def _cancel(submission: Submission) -> None:
    submission.slurm.cancel(check=False)


def _fate(submission: Submission) -> str:
    slurm = submission.slurm
    return f"ended as {slurm.state} without a word (its log is {slurm.paths.stderr})"
