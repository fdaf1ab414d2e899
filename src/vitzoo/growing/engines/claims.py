"""Who may store what a job makes: the worker that was given it last. A fence around workers that are out of reach.

A worker on another machine can be cut off, replaced, and wake up again. So every time a job is given out, a new token
is written beside the job's state, and a worker looks for its own token before it stores anything. Clearing all claims,
which every grower does when it begins, fences off the workers of growers that are gone.

Between a look and the write that follows a worker can still be frozen for longer than its successor takes to start.
What it then writes are epochs of the same job: the same bits on the same hardware, and an IntegrityError otherwise.
"""

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
    """One attempt at a job: the file that names who may store, and the token that it holds as long as we may."""

    path: Path
    token: str

    def holds(self) -> bool:
        """Look whether the token is still ours; opening the file anew makes network file systems look, too."""
        try:
            return self.path.read_text() == self.token
        except FileNotFoundError:
            return False

    def guard(self) -> None:
        """Raise Superseded unless the token is still ours."""
        if not self.holds():
            raise Superseded


class Claims:
    """The claims of one grower in a zoo, whose lock it holds."""

    def __init__(self, zoo: Path) -> None:
        self.folder = zoo / FOLDER
        self.folder.mkdir(exist_ok=True)

    def give(self, job: str) -> Claim:
        """Make a claim to a job; earlier ones to it are void from now on."""
        claim = Claim(self.folder / f"{job}{SUFFIX}", secrets.token_hex(8))
        staged = claim.path.with_suffix(f"{SUFFIX}-{claim.token}")
        staged.write_text(claim.token)
        staged.replace(claim.path)  # in one step: a claim that is read is whole
        return claim

    def end(self, job: str) -> None:
        """Take back the claim to a job."""
        (self.folder / f"{job}{SUFFIX}").unlink(missing_ok=True)

    def clear(self) -> None:
        """Take back all claims, also those of growers before us."""
        for path in self.folder.glob(f"*{SUFFIX}*"):
            path.unlink(missing_ok=True)
