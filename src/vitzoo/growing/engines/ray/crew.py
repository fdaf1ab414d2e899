"""The workers of a Ray cluster: actors that are given jobs and asked what there is to tell, one call at a time each."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vitzoo.errors import InputError, VitzooError
from vitzoo.growing.engines.claims import Claims
from vitzoo.growing.engines.contract import Begun, Job, Lost, Message
from vitzoo.growing.engines.ray.nodes import Need, Sight, check, look, see, with_room
from vitzoo.growing.engines.ray.worker import Worker
from vitzoo.growing.events import Event, JobDone, JobFailed, JobStopped, Note
from vitzoo.growing.execution import Execution

LOOK_SECONDS = 60.0  # a machine that needs longer to look at a file cannot be worked on
COUNT_SECONDS = 5.0  # between two counts of the cluster
STARTS = 3  # times that all workers may die before one answers
PING_SECONDS = 2.0  # after which a worker without a job is asked whether it is still there
WAIT_SECONDS = 60.0  # without a worker before the user is told
PROBE = "probe"


@dataclass
class Slot:
    """A worker, the job it has, if any, and when it last answered, if ever."""

    actor: Any
    job: str | None = None
    answered: float | None = None


class RayCrew:
    """At most ``most`` workers, and as many as the cluster has room for, which is counted again now and then."""

    kind: ClassVar[str] = "A Ray worker"

    def __init__(self, zoo: Path, execution: Execution, need: Need, most: int) -> None:
        self.zoo, self.execution, self.need, self.most = zoo, execution, need, most
        self.size = min(most, sum(with_room(need).values()))
        self._claims = Claims(zoo)
        self._worker = ray.remote(Worker).options(**need.options())
        self._looking: dict[Any, Slot] = {}  # workers that start or are asked again, by the call that is under way
        self._busy: dict[Any, Slot] = {}
        self._free: list[Slot] = []
        self._news: list[Message] = []
        self._failures = 0
        self._counted = self._last_worker = time.monotonic()

    def __enter__(self) -> "RayCrew":
        self._claims.clear()
        self._probe = self._claims.give(PROBE)
        self._here = see(self.zoo, self._probe)
        self._checks = self._ask_nodes()
        self._deadline = time.monotonic() + LOOK_SECONDS
        return self

    def room(self) -> int:
        """Return how many workers wait for a job; none does until every machine has looked at the zoo."""
        return 0 if self._checks else len(self._free)

    def give(self, job: Job) -> None:
        """Hand a job to a worker."""
        slot = self._free.pop()
        slot.job = job.id
        self._news.append(Begun(job.id))
        self._turn(slot, (job, self._claims.give(job.id)))

    def messages(self, timeout: float) -> list[Message]:
        """Return what workers answered, waiting for the first of it."""
        self._staff()
        found, self._news = self._news, []
        calls = [*self._busy, *self._looking, *self._checks]
        if not calls:
            time.sleep(0 if found else timeout)
            return found
        ready, rest = ray.wait(calls, timeout=0 if found else timeout)
        more, _ = ray.wait(rest, num_returns=len(rest), timeout=0) if ready and rest else ([], [])
        for call in (*ready, *more):
            if call in self._checks:
                self._check(call)
            elif call in self._looking:
                self._welcome(call)
            else:
                found += self._answer(call)
        return found

    def drop(self, job: str) -> bool:
        """Kill the worker that has this job; should it be out of reach, its claim is void."""
        call = next(call for call, slot in self._busy.items() if slot.job == job)
        self._claims.end(job)
        _kill(self._busy.pop(call))
        return True

    def __exit__(self, *details: Any) -> None:
        """Make all claims void and kill all workers."""
        self._claims.clear()
        for slot in (*self._free, *self._busy.values(), *self._looking.values()):
            _kill(slot)

    def _turn(self, slot: Slot, *given: Any) -> None:
        self._busy[slot.actor.turn.remote(*given)] = slot

    def _answer(self, call: Any) -> list[Message]:
        slot = self._busy.pop(call)
        assert slot.job is not None
        try:
            events: list[Event] = ray.get(call)
        except RayError as error:
            self._claims.end(slot.job)
            _kill(slot)
            return [Lost(slot.job, _fate(error))]
        if any(isinstance(event, JobDone | JobFailed | JobStopped) for event in events):
            self._claims.end(slot.job)
            slot.job, slot.answered = None, time.monotonic()
            self._free.append(slot)
        else:
            self._turn(slot)
        return list(events)

    def _staff(self) -> None:
        """Start as many workers as there is room for, in place of lost ones too; ask idle ones if they are there."""
        now = time.monotonic()
        if now - self._counted > COUNT_SECONDS:
            self._counted = now
            self.size = min(self.most, sum(with_room(self.need).values()))
        while len(self._free) + len(self._busy) + len(self._looking) < self.size:
            self._look(Slot(self._worker.remote()))
        while self._free and now - (self._free[0].answered or now) > PING_SECONDS:
            self._look(self._free.pop(0))
        if self._free or self._busy:
            self._last_worker = now
        self._check_patience(now)

    def _look(self, slot: Slot) -> None:
        self._looking[slot.actor.look.remote(self.zoo, self._probe, self.execution)] = slot

    def _welcome(self, call: Any) -> None:
        slot = self._looking.pop(call)
        try:
            sight: Sight = ray.get(call)
        except RayError as error:
            _kill(slot)
            self._failures += slot.answered is None
            if self._failures > STARTS * self.size:
                raise VitzooError(f"{self._failures} Ray workers in a row did not start: one {_fate(error)}.") from None
            return
        check(sight, self._here, self.zoo)
        self._failures, slot.answered = 0, time.monotonic()
        self._free.append(slot)

    def _check_patience(self, now: float) -> None:
        if self._checks and now > self._deadline:
            raise InputError(
                f"The Ray node {next(iter(self._checks.values()))} did not look at {self.zoo} within "
                f"{LOOK_SECONDS:g} seconds. See whether its file system answers."
            )
        if now - self._last_worker > WAIT_SECONDS:
            self._last_worker = now
            self._news.append(Note(f"Waiting for the Ray cluster to have {self.need} free for a job."))

    def _ask_nodes(self) -> dict[Any, str]:
        """Let every machine that has room look at the zoo before any work is given out."""
        task: Any = ray.remote(num_cpus=0, max_retries=0)(look)
        there = {node: NodeAffinitySchedulingStrategy(node, soft=False) for node in with_room(self.need)}
        return {
            task.options(scheduling_strategy=place).remote(self.zoo, self._probe, self.execution): _address(node)
            for node, place in there.items()
        }

    def _check(self, call: Any) -> None:
        node = self._checks.pop(call)
        try:
            sight: Sight = ray.get(call)
        except RayTaskError as error:
            raise InputError(f"The Ray node {node} cannot be worked on: it {_fate(error)}.") from None
        except RayError:  # it is gone, or so new that nothing can be sent there; workers look for themselves, too
            return
        check(sight, self._here, self.zoo)


def _address(node: str) -> str:
    return next((n["NodeManagerAddress"] for n in ray.nodes() if n["NodeID"] == node), node)


def _kill(slot: Slot) -> None:
    ray.kill(slot.actor)


def _fate(error: RayError) -> str:
    """Say in a line what became of a worker."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip(" .")
    if isinstance(error, RayActorError):
        return f"was lost with its process or its node ({reason})"
    return f"failed ({reason})"
