"""What an engine is: a crew of workers that takes jobs and tells what becomes of them.

Order, failures, patience and second attempts are one piece of code for all engines (``schedule``); an engine only
brings jobs to workers, events back, and ends a worker when it is told to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from vitzoo.growing.events import Event
from vitzoo.growing.execution import Execution

T = TypeVar("T")
Tell = Callable[[Event], None]
Beat = Callable[[float], None]
Guard = Callable[[], None]


class Job(Protocol):
    """What is done somewhere: ``needs`` are ids of jobs that must be done before. Doing it twice changes nothing."""

    @property
    def id(self) -> str: ...

    @property
    def needs(self) -> frozenset[str]: ...

    def do(self, tell: Tell, beat: Beat, guard: Guard) -> None:
        """Do it here. ``beat`` is called at every step and may raise to stop; ``guard`` before anything is stored."""
        ...


@dataclass(frozen=True)
class Begun:
    """A worker has a job in its hands; from now on it is expected to be heard."""

    job: str


@dataclass(frozen=True)
class Requeued:
    """A job waits for a worker again, in an orderly way (its time was up); it is not expected to be heard."""

    job: str


@dataclass(frozen=True)
class Lost:
    """A worker is gone with its job; ``why`` continues the sentence "The worker …"."""

    job: str
    why: str


Message = Event | Begun | Requeued | Lost


class Crew(Protocol):
    """Workers. A context manager: at its end no worker of it goes on."""

    #: Names the workers of an engine in messages.
    kind: ClassVar[str]

    @property
    def size(self) -> int:
        """The most jobs at once, as far as is known now."""
        ...

    def __enter__(self) -> "Crew": ...

    def __exit__(self, *details: Any) -> None: ...

    def room(self) -> int:
        """Return how many more jobs can be given now."""
        ...

    def give(self, job: Job) -> None:
        """Hand a job to a worker; its loss, also in the handing, is told by ``messages``."""
        ...

    def messages(self, timeout: float) -> Sequence[Message]:
        """Return what was told since the last call, waiting at most so many seconds for the first of it.

        After JobDone, JobFailed, JobStopped or Lost nothing more is told of a job unless it is given again.
        """
        ...

    def drop(self, job: str) -> bool:
        """End the worker that has this job; return whether it surely commits nothing any more."""
        ...


class Engine(Protocol):
    """Where jobs are done. A context manager; what it starts or connects to, it does when it is first needed."""

    def __enter__(self) -> "Engine": ...

    def __exit__(self, *details: Any) -> None: ...

    def there(self, device: str | None, function: Callable[..., T], *arguments: Any) -> T:
        """Return ``function(*arguments)``, computed on a machine that does jobs; ``device`` None: on the best it has.

        Raises:
            InputError: there is no such machine, or it cannot be reached.
        """
        ...

    def crew(self, zoo: Path, execution: Execution, jobs: int, workers: int | None) -> Crew:
        """Return workers for so many jobs on the zoo, whose lock the caller holds; None: as many as there is room for.

        Raises:
            InputError: no machine can do jobs of this execution.
        """
        ...
