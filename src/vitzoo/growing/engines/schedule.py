"""The loop that all engines share: give out what is ready, take in what is told, begin again what was lost."""

import time
from collections.abc import Callable, Sequence

from vitzoo.growing.engines.contract import Begun, Crew, Job, Lost, Message, Requeued, Tell
from vitzoo.growing.engines.ready import Ready
from vitzoo.growing.engines.watch import Patience, Watch
from vitzoo.growing.events import JobDone, JobFailed, JobStopped, Note

WAIT_SECONDS = 0.2  # the longest between two ticks
LOOK_SECONDS = 0.5  # between two looks for silent workers


def run(
    jobs: Sequence[Job], crew: Crew, tell: Tell, tick: Callable[[], None], patience: Patience = Patience()
) -> list[JobFailed]:
    """Do all jobs, each after those it needs, and return those that failed; what needs a failed job is left out.

    ``tell`` gets every event, ``tick`` is called several times a second and may raise to stop everything. A job whose
    worker is lost or silent goes to another worker as often as ``patience`` says, then it has failed.
    """
    schedule = _Schedule(jobs, crew, tell, tick, patience)
    with crew:
        while schedule.ready:
            schedule.turn()
    return list(schedule.failures.values())


class _Schedule:
    def __init__(
        self, jobs: Sequence[Job], crew: Crew, tell: Tell, tick: Callable[[], None], patience: Patience
    ) -> None:
        self.ready, self.watch = Ready(jobs), Watch(patience)
        self.crew, self.tell, self.tick = crew, tell, tick
        self.failures: dict[str, JobFailed] = {}
        self.next_look = time.monotonic() + LOOK_SECONDS

    def turn(self) -> None:
        self.tick()  # first: a signal to the whole group also stops workers, and they get no new job
        for _ in range(self.crew.room()):
            if (job := self.ready.take()) is None:
                break
            self.crew.give(job)
        for message in self.crew.messages(WAIT_SECONDS):
            self.hear(message)
        if time.monotonic() >= self.next_look:
            self.look_for_silent()

    def hear(self, message: Message) -> None:
        self.watch.hear(message, time.monotonic())
        match message:
            case Begun() | Requeued():
                return
            case Lost(job, why):
                self.lose(job, why)
                return
            case JobDone(job):
                self.watch.forget(job)
                self.ready.done(job)
            case JobFailed(job):
                self.fail(message)
                return
            case JobStopped(job):
                self.tick()  # raises if the grower was stopped too
                self.lose(job, "was stopped from outside")
                return
        self.tell(message)

    def look_for_silent(self) -> None:
        now = time.monotonic()
        self.next_look = now + LOOK_SECONDS
        for job in self.watch.silent(now):
            why = f"sent nothing for {self.watch.patience.seconds:g} seconds and was ended"
            if self.crew.drop(job):
                self.lose(job, why)
            else:
                self.fail(JobFailed(job, f"{self._loss(job, why)}, in vain: its machine hangs. {KEPT}", 1, ""))

    def lose(self, job: str, why: str) -> None:
        self.watch.forget(job)
        if self.watch.may_retry(job):
            self.ready.put_back(job)
            self.tell(Note(f"{self._loss(job, why)}. Another worker goes on with it."))
        else:
            self.fail(JobFailed(job, f"{self._loss(job, why)}. {KEPT}", 1, ""))

    def fail(self, failure: JobFailed) -> None:
        self.watch.forget(failure.job)
        self.ready.failed(failure.job)
        self.failures[failure.job] = failure
        self.tell(failure)

    def _loss(self, job: str, why: str) -> str:
        return f"{self.crew.kind} (busy with {job[:20]}) {why}"


KEPT = "What was committed stays; run the same command again to go on."
