"""The local engine with jobs that fail, die and depend on one another; real worker processes, no training."""

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from vitzoo.errors import DataError
from vitzoo.growing.events import Event, JobDone, JobFailed
from vitzoo.growing.jobs import Places
from vitzoo.growing.local import WorkerDied, run

NOWHERE = Places(Path("zoo"), Path("data"), Path("cache"))


@dataclass(frozen=True)
class Fake:
    """A job whose data is prepared by doing what ``act`` says."""

    id: str
    act: str = "succeed"
    needs: frozenset[str] = field(default_factory=frozenset)
    places: Places = NOWHERE
    image_size: int = 8

    @property
    def dataset(self) -> Any:
        if self.act == "raise":
            raise DataError("The data is not there.")
        if self.act == "break":
            raise ZeroDivisionError("a bug")
        if self.act != "succeed":
            os.kill(os.getpid(), getattr(signal, self.act))
        raise Succeeded


class Succeeded(Exception):
    """Ends a job's doing; the worker reports it as a failure with this name, which the test takes for success."""


def needing(*ids: str) -> frozenset[str]:
    return frozenset(ids)


def results(jobs: list[Fake], workers: int) -> tuple[dict[str, JobFailed], list[Event]]:
    told: list[Event] = []
    failures = run(jobs, workers, 1, told.append, lambda: None)  # type: ignore[arg-type]
    return {failure.job: failure for failure in failures}, told


def test_failures_are_told_and_what_needs_them_is_left_out() -> None:
    jobs = [
        Fake("missing", "raise"),
        Fake("child", needs=needing("missing")),
        Fake("grandchild", needs=needing("child")),
        Fake("bug", "break"),
        Fake("healthy"),
    ]
    failures, told = results(jobs, 1)
    assert {event.job for event in told if isinstance(event, JobFailed | JobDone)} == {"missing", "bug", "healthy"}
    assert (failures["missing"].text, failures["missing"].exit_code) == ("The data is not there.", 3)
    assert (failures["bug"].text, failures["bug"].exit_code) == ("ZeroDivisionError: a bug", 1)
    assert "in dataset" in failures["bug"].traceback
    assert "Succeeded" in failures["healthy"].text


def test_a_worker_that_is_killed_is_told() -> None:
    with pytest.raises(WorkerDied, match=r"busy with doomed\) was ended by SIGKILL; out of memory"):
        results([Fake("doomed", "SIGKILL")], 1)


def test_a_worker_that_is_stopped_is_told() -> None:
    """SIGTERM to a worker alone ends it after its job; the next job finds nobody to do it."""
    with pytest.raises(WorkerDied, match=r"busy with next\) ended with code 0\. What was committed stays"):
        results([Fake("stopped", "SIGTERM"), Fake("next")], 1)
