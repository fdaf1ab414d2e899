"""A Ray worker: an actor that does one job after another and hands out what there is to tell."""

import queue
import threading
import time
from contextlib import suppress
from pathlib import Path

from vitzoo.growing.engines.claims import Claim
from vitzoo.growing.engines.contract import Job
from vitzoo.growing.engines.doing import do
from vitzoo.growing.engines.ray.nodes import Sight, look
from vitzoo.growing.events import Event
from vitzoo.growing.execution import Execution
from vitzoo.growing.memory import keep_freed_memory

TURN_SECONDS = 10.0  # the longest without an answer
GATHER_SECONDS = 0.02  # in which the news of several short jobs come together


class Worker:
    """Jobs run in a thread, so that the actor can answer meanwhile."""

    def __init__(self) -> None:
        keep_freed_memory()
        self.jobs: queue.SimpleQueue[tuple[Job, Claim]] = queue.SimpleQueue()
        self.news: queue.SimpleQueue[Event] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="work", daemon=True).start()

    def look(self, zoo: Path, probe: Claim, execution: Execution) -> Sight:
        """Tell what this machine sees."""
        return look(zoo, probe, execution)

    def turn(self, *given: tuple[Job, Claim]) -> list[Event]:
        """Take jobs, wait until there is something to tell, and return it; after some seconds that may be nothing."""
        for job in given:
            self.jobs.put(job)
        found: list[Event] = []
        with suppress(queue.Empty):
            found.append(self.news.get(timeout=TURN_SECONDS))
            end = time.monotonic() + GATHER_SECONDS
            while not self.jobs.empty() and time.monotonic() < end:
                found.append(self.news.get(timeout=GATHER_SECONDS))
            while True:
                found.append(self.news.get_nowait())
        return found

    def _work(self) -> None:
        while True:
            job, claim = self.jobs.get()
            self.news.put(do(job, self.news.put, lambda: False, claim.guard))
