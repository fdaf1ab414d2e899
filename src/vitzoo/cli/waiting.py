"""One line on stderr with the time left, for whatever takes more than two seconds."""

import sys
import time

from vitzoo.cli.output import count, duration

PATIENCE = 2.0  # seconds before progress is shown


class Waiting:
    """Tells how far something is: four times a second in a terminal and twice a minute elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.what: str | None = None
        self.begun = self.told = self.last = time.monotonic()

    def take(self, what: str, done: int, total: int, unit: str = "") -> None:
        """Count in that ``done`` of ``total`` is done of ``what``, such as "Checking" with the unit "checkpoints"."""
        now = time.monotonic()
        if what != self.what:  # it began when the thing before ended
            self.what, self.begun, self.told = what, self.last, max(self.told, self.last)
        self.last = now
        if now - self.begun < PATIENCE or now - self.told < (0.25 if self.live else 30) or done <= 0:
            return
        self.told = now
        left = (now - self.begun) * (total - done) / done
        amount = f"{count(done)} of {count(total)} {unit}" if unit else f"{100 * done / total:.0f} %"
        line = f"{what}: {amount}, {duration(left)} left."
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the line from the terminal."""
        if self.live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
