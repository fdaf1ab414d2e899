"""What workers tell the grower: small frozen records that cross a pipe."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Note:
    """Something worth a line, such as data being prepared."""

    text: str


@dataclass(frozen=True)
class Stepped:
    """A population has done this share of its current epoch (sent at most about once a second)."""

    job: str
    share: float


@dataclass(frozen=True)
class EpochDone:
    """An epoch is trained, measured and committed: each member's metrics, None for members that diverged earlier."""

    job: str
    epoch: int
    metrics: dict[str, dict[str, Any] | None]
    diverged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class JobDone:
    """A job ended and everything it made is committed."""

    job: str


@dataclass(frozen=True)
class JobFailed:
    """A job raised: the sentence for the user, the exit code, and the traceback for a bug report."""

    job: str
    text: str
    exit_code: int
    traceback: str


@dataclass(frozen=True)
class JobStopped:
    """A job stopped because it was asked to."""

    job: str


Event = Note | Stepped | EpochDone | JobDone | JobFailed | JobStopped
