"""Jobs for testing engines: each does one small thing, in a real worker, and leaves a trace in a folder."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from vitzoo.errors import DataError
from vitzoo.growing.engines import schedule
from vitzoo.growing.engines.contract import Beat, Crew, Guard, Tell
from vitzoo.growing.engines.watch import Patience
from vitzoo.growing.events import Event, JobDone, JobFailed, Note


@dataclass(frozen=True)
class Act:
    """A job that does what ``act`` names, in the first ``times`` attempts; then it only leaves its trace."""

    id: str
    folder: Path
    act: str = "succeed"
    times: int = 99
    needs: frozenset[str] = field(default_factory=frozenset)

    def do(self, tell: Tell, beat: Beat, guard: Guard) -> None:
        attempt = len(list(self.folder.glob(f"{self.id}.began.*"))) + 1
        (self.folder / f"{self.id}.began.{attempt}").write_text(str(os.getpid()))
        if attempt <= self.times:
            ACTS[self.act](self, tell, beat, guard)
        (self.folder / f"{self.id}.ended").write_text(str(time.time_ns()))


def _fail(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    raise DataError("The data is not there.")


def _break(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    raise ZeroDivisionError("a bug")


def _die(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _freeze(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _leave(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    _step(job, tell, beat, guard)


def _step(job: Act, tell: Tell, beat: Beat, guard: Guard, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
        beat(0.5)


def _guarded(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    guard()
    tell(Note(f"{job.id} may write"))


def _look(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    _meet(job, tell, beat, guard)
    tell(Note(f"sees GPU {os.environ.get('CUDA_VISIBLE_DEVICES')}"))


def _meet(job: Act, tell: Tell, beat: Beat, guard: Guard) -> None:
    while len(list(job.folder.glob("*.began.1"))) < 2:
        time.sleep(0.01)


ACTS: dict[str, Callable[[Act, Tell, Beat, Guard], None]] = {
    "succeed": lambda *_: None,
    "fail": _fail,
    "break": _break,
    "die": _die,
    "freeze": _freeze,
    "leave": _leave,
    "step": _step,
    "step_for_4_seconds": partial(_step, seconds=4),
    "guarded": _guarded,
    "meet": _meet,
    "look": _look,
}


@dataclass
class Result:
    """What a run left: failures by job, ids of jobs done in their order, and all events."""

    failures: dict[str, JobFailed]
    done: list[str]
    told: list[Event]

    def notes(self) -> str:
        return "\n".join(event.text for event in self.told if isinstance(event, Note))


def outcome(
    jobs: list[Act], crew: Crew, patience: Patience = Patience(), tick: Callable[[], None] = lambda: None
) -> Result:
    told: list[Event] = []
    failures = schedule.run(jobs, crew, told.append, tick, patience)
    done = [event.job for event in told if isinstance(event, JobDone)]
    return Result({failure.job: failure for failure in failures}, done, told)


def needing(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def pids(folder: Path) -> list[int]:
    """Process ids of all workers that began a job."""
    return sorted({int(path.read_text()) for path in folder.glob("*.began.*")})
