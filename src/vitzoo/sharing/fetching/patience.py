"""When to try again, after how long, and when to give up."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from vitzoo.sharing.fetching.source import SourceError

T = TypeVar("T")
PROGRESS = 1 << 20  # bytes; after an attempt that brought as many, failures are counted anew


class Stopped(Exception):
    """The caller wants to stop; it is raised in threads, and never shown."""


@dataclass(frozen=True)
class Patience:
    """How long a source is waited for; times are in seconds."""

    tries: int = 6
    pause: float = 1.0  # before the second attempt; doubled with each
    longest: float = 60.0  # pause, whatever the source asks for
    connect: float = 15.0
    silence: float = 30.0  # without any byte
    small: float = 60.0  # for a listing or a config as a whole
    slow: tuple[float, int] = (60.0, 64 * 1024)  # a file must bring so many bytes in so many seconds

    def before(self, failures: int, error: SourceError) -> float:
        """Seconds to wait after so many failures in a row."""
        if error.wait is not None:
            return min(error.wait, self.longest)
        return min(self.pause * 2 ** (failures - 1), self.longest) * random.uniform(0.5, 1.0)


def persist(action: Callable[[], T], patience: Patience, stop: Event, progress: Callable[[], int] = lambda: 0) -> T:
    """Do something until it succeeds, fails for good, or failed ``tries`` times without bringing bytes in between.

    ``progress`` counts bytes that stay although an attempt fails.
    """
    failures, before = 0, progress()
    while True:
        try:
            return action()
        except SourceError as error:
            now = progress()
            failures, before = (1 if now - before >= PROGRESS else failures + 1), now
            if not error.passing or failures >= patience.tries:
                raise
            if stop.wait(patience.before(failures, error)):
                raise Stopped from None
