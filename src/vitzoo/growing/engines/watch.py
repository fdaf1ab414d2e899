"""Who has been silent for too long, and how often a job may be begun again.

A worker counts as alive while its steps advance: it tells of them about once a second (``Stepped``). A job that comes
further in every attempt is not given up, however often its workers are lost, as on machines that can be taken away.
"""

from collections import Counter
from dataclasses import dataclass

from vitzoo.growing.engines.contract import Begun, Message, Requeued
from vitzoo.growing.events import EpochDone, Note


@dataclass(frozen=True)
class Patience:
    """Seconds a worker may be silent, and how often a job is begun again without an epoch gained in between.

    One step of a large model takes minutes on a CPU core, so patience is long.
    """

    seconds: float = 1800.0
    retries: int = 2


class Watch:
    """The time at which each job was last heard of, and its attempts. Time is given, not read."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._heard: dict[str, float] = {}
        self._epoch: dict[str, int] = {}
        self._losses: Counter[str] = Counter()

    def hear(self, message: Message, now: float) -> None:
        """Count a message as a sign of life, and a new epoch as progress."""
        if isinstance(message, Requeued):
            self._heard.pop(message.job, None)
        elif isinstance(message, Begun) or (not isinstance(message, Note) and message.job in self._heard):
            self._heard[message.job] = now
        if isinstance(message, EpochDone) and message.epoch > self._epoch.get(message.job, -1):
            self._epoch[message.job] = message.epoch
            del self._losses[message.job]

    def forget(self, job: str) -> None:
        """Expect nothing of a job that ended or is to be begun again."""
        self._heard.pop(job, None)

    def silent(self, now: float) -> list[str]:
        """Jobs whose workers have been silent for longer than patience."""
        return [job for job, heard in self._heard.items() if now - heard > self.patience.seconds]

    def may_retry(self, job: str) -> bool:
        """Count a lost attempt; tell whether there is another."""
        self._losses[job] += 1
        return self._losses[job] <= self.patience.retries
