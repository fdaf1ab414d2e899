"""The local engine, by the laws of all engines and by its own."""

import os
from pathlib import Path

import pytest
from engine_jobs import Act, outcome, pids
from engine_laws import *  # noqa: F403  (the tests)
from engine_laws import Make

from vitzoo.growing.engines.local import LocalCrew, Worker
from vitzoo.growing.engines.watch import Patience


@pytest.fixture
def make() -> Make:
    return lambda size: LocalCrew(size)


def test_how_a_worker_died_is_told(make: Make, tmp_path: Path) -> None:
    result = outcome([Act("doomed", tmp_path, "die")], make(1), Patience(retries=0))
    expected = "A worker process (busy with doomed) was ended by SIGKILL; out of memory is the usual reason. "
    assert result.failures["doomed"].text.startswith(expected)


def test_sigterm_to_a_worker_alone_costs_its_job_an_attempt(make: Make, tmp_path: Path) -> None:
    result = outcome([Act("leaving", tmp_path, "leave", times=1)], make(1))
    assert (result.failures, result.done) == ({}, ["leaving"])
    assert "(busy with leaving) was stopped from outside. Another worker" in result.notes()
    assert len(pids(tmp_path)) == 2


def test_a_process_is_used_again_and_none_is_started_without_a_job(make: Make, tmp_path: Path) -> None:
    jobs = [Act("0", tmp_path), *(Act(str(i), tmp_path, needs=frozenset({str(i - 1)})) for i in range(1, 5))]
    assert outcome(jobs, make(4)).done == ["0", "1", "2", "3", "4"]
    assert len(pids(tmp_path)) == 1


def test_a_process_that_cannot_be_ended_gets_no_successor(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it hangs in a file system that does not answer: it might write when that wakes up."""
    end = Worker.end
    monkeypatch.setattr(Worker, "end", lambda worker: end(worker) and False)
    result = outcome([Act("stuck", tmp_path, "freeze")], make(1), Patience(seconds=1))
    assert "was ended, in vain: its machine hangs. What was committed stays" in result.failures["stuck"].text
    assert len(pids(tmp_path)) == 1


def test_every_process_sees_gpus_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    result = outcome([Act("a", tmp_path, "look"), Act("b", tmp_path, "look")], LocalCrew(2, ["0,1", "2,3"]))
    assert sorted(result.notes().splitlines()) == ["sees GPU 0,1", "sees GPU 2,3"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
