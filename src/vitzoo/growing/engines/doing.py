"""Doing one job, wherever it was given: what happens is told, and whatever goes wrong becomes an event."""

import time
import traceback
from collections.abc import Callable

from vitzoo.errors import VitzooError
from vitzoo.growing.engines.contract import Guard, Job, Tell
from vitzoo.growing.events import JobDone, JobFailed, JobStopped, Stepped

STEPPED_SECONDS = 1.0  # between two signs of life


class Stopped(Exception):
    """Raised at a step boundary, or before something is stored, after a worker was asked to stop."""


def unguarded() -> None:
    """Guard nothing: for workers that end before another gets their job."""


def do(job: Job, tell: Tell, stopped: Callable[[], bool], guard: Guard = unguarded) -> JobDone | JobFailed | JobStopped:
    """Do a job and return how it ended; ``stopped`` is asked at every step, ``guard`` before anything is stored."""
    last = time.monotonic()

    def beat(share: float) -> None:
        nonlocal last
        if stopped():
            raise Stopped
        if time.monotonic() - last >= STEPPED_SECONDS:
            last = time.monotonic()
            tell(Stepped(job.id, share))

    try:
        job.do(tell, beat, guard)
    except Stopped:
        return JobStopped(job.id)
    except VitzooError as error:
        return JobFailed(job.id, str(error), error.exit_code, traceback.format_exc())
    except Exception as error:
        return JobFailed(job.id, f"{type(error).__name__}: {error}", 1, traceback.format_exc())
    return JobDone(job.id)
