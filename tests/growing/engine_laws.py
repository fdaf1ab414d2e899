"""What every engine must do; a test file of an engine imports these tests and provides the fixture ``make``.

``make(size)`` returns a crew of that engine with at most ``size`` jobs at once. The workers are real.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_jobs import Act, needing, outcome, pids
from little_grow import alive, wait_until

from vitzoo.growing.engines.contract import Crew
from vitzoo.growing.engines.watch import Patience
from vitzoo.growing.events import Note, Stepped

Make = Callable[[int], Crew]


def test_jobs_follow_what_they_need(make: Make, tmp_path: Path) -> None:
    jobs = [
        Act("join", tmp_path, needs=needing("left", "right")),
        Act("left", tmp_path, needs=needing("root")),
        Act("right", tmp_path, needs=needing("root")),
        Act("root", tmp_path),
    ]
    result = outcome(jobs, make(2))
    assert (result.failures, result.done[0], result.done[-1]) == ({}, "root", "join")
    ended = {job.id: int((tmp_path / f"{job.id}.ended").read_text()) for job in jobs}
    assert ended["root"] < min(ended["left"], ended["right"]) and max(ended.values()) == ended["join"]


def test_what_needs_a_failed_job_is_left_out(make: Make, tmp_path: Path) -> None:
    jobs = [
        Act("missing", tmp_path, "fail"),
        Act("child", tmp_path, needs=needing("missing")),
        Act("grandchild", tmp_path, needs=needing("child", "healthy")),
        Act("bug", tmp_path, "break"),
        Act("healthy", tmp_path),
    ]
    result = outcome(jobs, make(1))
    assert result.done == ["healthy"] and set(result.failures) == {"missing", "bug"}
    missing, bug = result.failures["missing"], result.failures["bug"]
    assert (missing.text, missing.exit_code) == ("The data is not there.", 3)
    assert (bug.text, bug.exit_code) == ("ZeroDivisionError: a bug", 1)
    assert "in _break" in bug.traceback


def test_events_arrive_and_the_guard_lets_its_worker_through(make: Make, tmp_path: Path) -> None:
    jobs = [Act(f"job{i}", tmp_path, "guarded") for i in range(5)]
    result = outcome(jobs, make(2))
    assert sorted(result.done) == [job.id for job in jobs]
    assert {event.text for event in result.told if isinstance(event, Note)} == {f"{j.id} may write" for j in jobs}


def test_a_worker_that_dies_is_replaced_and_its_job_done(make: Make, tmp_path: Path) -> None:
    result = outcome([Act("doomed", tmp_path, "die", times=2), Act("next", tmp_path)], make(1))
    assert (result.failures, sorted(result.done)) == ({}, ["doomed", "next"])
    assert result.notes().count("(busy with doomed)") == 2 and "Another worker goes on with it." in result.notes()


def test_a_job_that_loses_all_its_workers_has_failed(make: Make, tmp_path: Path) -> None:
    jobs = [Act("doomed", tmp_path, "die"), Act("child", tmp_path, needs=needing("doomed")), Act("next", tmp_path)]
    result = outcome(jobs, make(1), Patience(retries=1))
    assert result.done == ["next"] and set(result.failures) == {"doomed"}
    assert "(busy with doomed)" in result.failures["doomed"].text
    assert "What was committed stays; run the same command again to go on." in result.failures["doomed"].text
    assert len(list(tmp_path.glob("doomed.began.*"))) == 2


def test_a_worker_that_hangs_is_replaced(make: Make, tmp_path: Path) -> None:
    result = outcome([Act("stuck", tmp_path, "freeze", times=1)], make(1), Patience(seconds=2))
    assert (result.failures, result.done) == ({}, ["stuck"])
    assert "(busy with stuck) sent nothing for 2 seconds and was ended. Another worker goes on" in result.notes()
    wait_until(lambda: [alive(pid) for pid in pids(tmp_path)].count(True) == 0, 60)


def test_a_tick_that_raises_stops_all_workers(make: Make, tmp_path: Path) -> None:
    def tick() -> None:
        if len(pids(tmp_path)) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome([Act(f"job{i}", tmp_path, "step") for i in range(3)], make(2), tick=tick)
    wait_until(lambda: not any(alive(pid) for pid in pids(tmp_path)), 60)
    assert not list(tmp_path.glob("*.ended"))


def test_steps_are_signs_of_life(make: Make, tmp_path: Path) -> None:
    """A job of many seconds whose steps advance outlives a short patience."""
    stepping = Act("stepping", tmp_path, "step_for_4_seconds")
    result = outcome([stepping], make(1), Patience(seconds=2))
    assert (result.failures, result.done, result.notes()) == ({}, ["stepping"], "")
    assert any(isinstance(event, Stepped) for event in result.told)
