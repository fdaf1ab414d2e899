"""What a peer notes while it trains: when it was ready, and the seconds of every part of every epoch."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peers.workload import Task


class Diary:
    """Notes of one process; ``write`` leaves them in the task's report.

    An entry holds ``epoch``, ``images`` (model-images: each image once for every member that saw it), ``seconds`` (of
    training and of storing the checkpoint) and ``evaluation`` (seconds; None where it is not told apart).
    """

    def __init__(self, task: Task):
        self.task = task
        self.ready: float | None = None
        self.entries: list[dict[str, float | None]] = []
        self._parts: dict[str, float] = {}

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Time a part of the current epoch: train, save or evaluate. It must end with the device idle."""
        begun = time.perf_counter()
        yield
        self._parts[part] = time.perf_counter() - begun

    def epoch(self, number: int, images: int) -> None:
        """Close an epoch whose parts were timed."""
        parts, self._parts = self._parts, {}
        self.note(number, images, parts.get("train", 0.0) + parts["save"], parts["evaluate"])

    def note(self, epoch: int, images: int, seconds: float, evaluation: float | None) -> None:
        """Add an entry; the first one, the state before training, is when the process counts as started."""
        self.ready = self.ready or time.time()
        self.entries.append({"epoch": epoch, "images": images, "seconds": seconds, "evaluation": evaluation})

    def write(self, workers: int = 1) -> None:
        """Store the notes; ``workers`` is how many processes trained at the same time on behalf of this one."""
        report = {"ready": self.ready, "workers": workers, "entries": self.entries}
        self.task.report.write_text(json.dumps(report))
