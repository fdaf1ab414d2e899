"""The workers of a Ray cluster as a crew: actors that are given jobs and asked what there is to tell.

A call to an actor costs about a millisecond, so a worker whose jobs end at once is given twice as many the next time.
Populations train for seconds at least, and are given one by one: nothing waits behind another.
"""

import time
from pathlib import Path
from typing import Any, ClassVar

import ray
from ray.exceptions import RayError

from vitzoo.growing.engines.claims import Claims
from vitzoo.growing.engines.contract import Begun, Job, Lost, Message, Requeued
from vitzoo.growing.engines.ray.nodes import Need
from vitzoo.growing.engines.ray.staff import Slot, Staff, fate
from vitzoo.growing.events import Event, JobDone, JobFailed, JobStopped, Note
from vitzoo.growing.execution import Execution

QUICK_SECONDS = 0.05  # jobs that end sooner are given together
MOST_AHEAD = 64
PROBE = "probe"


class RayCrew:
    """At most ``most`` workers, and as many as the cluster has room for; at most ``ahead`` jobs in a worker's hands."""

    kind: ClassVar[str] = "A Ray worker"

    def __init__(self, zoo: Path, execution: Execution, need: Need, most: int, ahead: int = MOST_AHEAD) -> None:
        self._staff, self._ahead = Staff(zoo, execution, need, most), ahead
        self._claims = Claims(zoo)
        self._busy: dict[Any, Slot] = {}  # by the call that is under way
        self._back: list[Job] = []  # what a worker had that was lost with several jobs; one may be to blame
        self._news: list[Message] = []

    @property
    def size(self) -> int:
        """How many workers there can be now."""
        return self._staff.size

    def __enter__(self) -> "RayCrew":
        self._claims.clear()
        self._staff.open(self._claims.give(PROBE))
        return self

    def room(self) -> int:
        """Return how many jobs free workers may be given."""
        return 0 if self._back else sum(slot.ahead - len(slot.jobs) for slot in self._staff.ready())

    def give(self, job: Job) -> None:
        """Put a job into the hands of the free worker that has fewest; it is sent by ``messages``."""
        slot = min(self._staff.ready(), key=lambda slot: len(slot.jobs) / slot.ahead)
        slot.jobs[job.id] = job

    def messages(self, timeout: float) -> list[Message]:
        """Return what workers answered, waiting for the first of it."""
        self._send()
        found: list[Message] = [*self._news, *self._staff.tend(len(self._busy))]
        self._news = []
        calls = [*self._busy, *self._staff.calls()]
        if not calls:
            time.sleep(timeout)
            return found
        ready, rest = ray.wait(calls, timeout=timeout)
        more, _ = ray.wait(rest, num_returns=len(rest), timeout=0) if ready and rest else ([], [])
        for call in (*ready, *more):
            if call in self._busy:
                found += self._answer(call)
            else:
                self._staff.take(call)
        return found

    def drop(self, job: str) -> bool:
        """Kill the worker that has this job; should it be out of reach, its claims are void."""
        call = next(call for call, slot in self._busy.items() if job in slot.jobs)
        slot = self._busy.pop(call)
        self._dismiss(slot)
        self._back += [waiting for waiting in slot.jobs.values() if waiting.id != job]
        return True

    def __exit__(self, *details: Any) -> None:
        """Make all claims void and kill all workers."""
        self._claims.clear()
        for slot in self._busy.values():
            slot.kill()
        self._staff.close()

    def _send(self) -> None:
        for slot in self._staff.ready():
            if self._back and not slot.jobs:
                job = self._back.pop(0)
                slot.jobs[job.id] = job
        now = time.monotonic()
        for slot in [slot for slot in self._staff.ready() if slot.jobs]:
            self._staff.free.remove(slot)
            slot.given = now
            self._begin(slot)
            self._turn(slot, *((job, self._claims.give(job.id)) for job in slot.jobs.values()))

    def _begin(self, slot: Slot) -> None:
        self._news.append(Begun(next(iter(slot.jobs))))

    def _turn(self, slot: Slot, *given: Any) -> None:
        self._busy[slot.actor.turn.remote(*given)] = slot

    def _answer(self, call: Any) -> list[Message]:
        slot = self._busy.pop(call)
        try:
            events: list[Event] = ray.get(call)
        except RayError as error:
            self._dismiss(slot)
            if len(slot.jobs) == 1:
                return [Lost(next(iter(slot.jobs)), fate(error))]
            self._back += slot.jobs.values()
            note = f"{self.kind} {fate(error)} with {len(slot.jobs)} short jobs. Others do them one by one."
            return [Requeued(next(iter(slot.jobs))), Note(note)]
        ended = [event.job for event in events if isinstance(event, JobDone | JobFailed | JobStopped)]
        for job in ended:
            self._claims.end(job)
            del slot.jobs[job]
        if not slot.jobs:
            self._release(slot)
        else:
            self._turn(slot)
            if ended:
                self._begin(slot)
        return list(events)

    def _release(self, slot: Slot) -> None:
        slot.answered = time.monotonic()
        quick = slot.answered - slot.given < QUICK_SECONDS
        slot.ahead = min(self._ahead, 2 * slot.ahead) if quick else 1
        self._staff.free.append(slot)

    def _dismiss(self, slot: Slot) -> None:
        slot.kill()
        for job in slot.jobs:
            self._claims.end(job)
