"""Who may store what a job makes: the worker that was given it last. A fence around workers that are out of reach.

A worker on another machine can be cut off, replaced, and wake up again. So every time a job is given out, a file with a
new name is made beside the job's state and the last one removed, and a worker looks whether its own is still there
before it stores anything. Every grower removes all claims when it begins, and so fences off workers of growers before.

Between a look and the write that follows a worker can still be frozen for longer than its successor takes to start.
What it then writes are epochs of the same job: the same bits on the same hardware, and an IntegrityError otherwise.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from vitzoo.growing.engines.doing import Stopped
from vitzoo.growing.jobs import FOLDER

SUFFIX = ".claim"


class Superseded(Stopped):
    """Another worker has this job now, or the grower that gave it is gone."""


@dataclass(frozen=True)
class Claim:
    """One attempt at a job: a file that is there for as long as what the attempt makes may be stored."""

    path: Path

    def holds(self) -> bool:
        """Look whether the claim is there; opening it makes network file systems ask their server."""
        try:
            os.close(os.open(self.path, os.O_RDONLY))
        except FileNotFoundError:
            return False
        return True

    def guard(self) -> None:
        """Raise Superseded unless the claim is there."""
        if not self.holds():
            raise Superseded


class Claims:
    """The claims that one grower gives in a zoo, whose lock it holds.

    >>> import tempfile
    >>> claims = Claims(Path(tempfile.mkdtemp()))
    >>> first = claims.give("job")
    >>> second = claims.give("job")
    >>> first.holds(), second.holds()
    (False, True)
    """

    def __init__(self, zoo: Path) -> None:
        self.folder = zoo / FOLDER
        self.folder.mkdir(exist_ok=True)
        self._given: dict[str, Claim] = {}

    def give(self, job: str) -> Claim:
        """Make a claim to a job; an earlier one is void from now on."""
        self.end(job)
        claim = self._given[job] = Claim(self.folder / f"{job}.{secrets.token_hex(8)}{SUFFIX}")
        claim.path.touch()
        return claim

    def end(self, job: str) -> None:
        """Take back the claim to a job, if there is one."""
        if claim := self._given.pop(job, None):
            claim.path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Take back all claims, also those of growers before us."""
        self._given.clear()
        for path in self.folder.glob(f"*{SUFFIX}"):
            path.unlink(missing_ok=True)
