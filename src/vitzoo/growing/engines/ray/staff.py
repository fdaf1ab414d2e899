"""Who works on a Ray cluster: workers are started where there is room, look at the zoo first, and are replaced."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vitzoo.errors import InputError, VitzooError
from vitzoo.growing.engines.claims import Claim
from vitzoo.growing.engines.contract import Job
from vitzoo.growing.engines.ray.nodes import Need, Sight, check, look, see, with_room
from vitzoo.growing.engines.ray.worker import Worker
from vitzoo.growing.events import Note
from vitzoo.growing.execution import Execution

LOOK_SECONDS = 60.0  # a machine that needs longer to look at a file cannot be worked on
COUNT_SECONDS = 5.0  # between two counts of the cluster
PING_SECONDS = 2.0  # after which a worker without a job is asked whether it is still there
WAIT_SECONDS = 60.0  # without a worker before the user is told
STARTS = 3  # times that all workers may die before one answers


@dataclass
class Slot:
    """A worker: the jobs in its hands in their order, how many it may have, and when it last answered, if ever."""

    actor: Any
    jobs: dict[str, Job] = field(default_factory=dict)
    given: float = 0.0
    ahead: int = 1
    answered: float | None = None

    def kill(self) -> None:
        """End its process."""
        ray.kill(self.actor)


class Staff:
    """Workers that are not at work: starting, looking around, or free. At most ``most``, and as the cluster has room.

    ``size`` is how many there can be now, counted again now and then: machines come and go.
    """

    def __init__(self, zoo: Path, execution: Execution, need: Need, most: int) -> None:
        self.zoo, self.execution, self.need, self.most = zoo, execution, need, most
        self.size = min(most, sum(with_room(need).values()))
        self.free: list[Slot] = []
        self._worker = ray.remote(Worker).options(**need.options())
        self._looking: dict[Any, Slot] = {}  # by the call that is under way
        self._checks: dict[Any, str] = {}
        self._failures = 0
        self._counted = self._last_worker = time.monotonic()

    def open(self, probe: Claim) -> None:
        """Let every machine that has room look at the zoo before any work is given out."""
        self._probe, self._here = probe, see(self.zoo, probe)
        self._deadline = time.monotonic() + LOOK_SECONDS
        task: Any = ray.remote(num_cpus=0, max_retries=0)(look)
        for node in with_room(self.need):
            there = task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
            self._checks[there.remote(self.zoo, probe, self.execution)] = _address(node)

    def ready(self) -> list[Slot]:
        """Return workers that are free; none is until every machine has looked at the zoo."""
        return [] if self._checks else self.free

    def calls(self) -> list[Any]:
        """Return the calls that ``take`` is to be told of when they are answered."""
        return [*self._looking, *self._checks]

    def close(self) -> None:
        """Kill all of them."""
        for slot in (*self.free, *self._looking.values()):
            slot.kill()

    def tend(self, working: int) -> list[Note]:
        """Start workers where there is room, ask free ones if they are still there, and say if there is none."""
        now = time.monotonic()
        if now - self._counted > COUNT_SECONDS:
            self._counted = now
            self.size = min(self.most, sum(with_room(self.need).values()))
        for _ in range(self.size - working - len(self.free) - len(self._looking)):
            self._look(Slot(self._worker.remote()))
        for slot in [slot for slot in self.free if now - (slot.answered or now) > PING_SECONDS]:
            self.free.remove(slot)
            self._look(slot)
        if self._checks and now > self._deadline:
            raise InputError(
                f"The Ray node {next(iter(self._checks.values()))} did not look at {self.zoo} within "
                f"{LOOK_SECONDS:g} seconds. See whether its file system answers."
            )
        if self.free or working:
            self._last_worker = now
        elif now - self._last_worker > WAIT_SECONDS:
            self._last_worker = now
            return [Note(f"Waiting for the Ray cluster to have {self.need} free for a job.")]
        return []

    def take(self, call: Any) -> None:
        """Take in what a machine or a worker saw.

        Raises:
            InputError: it cannot work on this zoo.
            VitzooError: no worker starts.
        """
        if call in self._checks:
            self._check(call)
        else:
            self._welcome(call)

    def _look(self, slot: Slot) -> None:
        self._looking[slot.actor.look.remote(self.zoo, self._probe, self.execution)] = slot

    def _check(self, call: Any) -> None:
        node = self._checks.pop(call)
        try:
            sight: Sight = ray.get(call)
        except RayTaskError as error:
            raise InputError(f"The Ray node {node} cannot be worked on: it {fate(error)}.") from None
        except RayError:  # it is gone, or so new that nothing can be sent there; workers look for themselves, too
            return
        check(sight, self._here, self.zoo)

    def _welcome(self, call: Any) -> None:
        slot = self._looking.pop(call)
        try:
            sight: Sight = ray.get(call)
        except RayError as error:
            slot.kill()
            self._failures += slot.answered is None
            if self._failures > STARTS * self.size:
                raise VitzooError(f"{self._failures} Ray workers in a row did not start: one {fate(error)}.") from None
            return
        check(sight, self._here, self.zoo)
        self._failures, slot.answered = 0, time.monotonic()
        self.free.append(slot)


def fate(error: RayError) -> str:
    """Say in a line what became of a worker; of Ray's reasons the last line's first sentence says it."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1].partition(". ")[0].strip(" .")
    if isinstance(error, RayActorError):
        return f"was lost with its process or its node ({reason})"
    return f"failed ({reason})"


def _address(node: str) -> str:
    return next((n["NodeManagerAddress"] for n in ray.nodes() if n["NodeID"] == node), node)
