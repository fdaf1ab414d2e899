"""What is shown while a zoo grows: how much is done, how long it takes, one line an epoch."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from vitzoo.blueprint import load
from vitzoo.cli import progress
from vitzoo.cli.progress import Display, Plain, Tally, describe, epoch_line
from vitzoo.growing.events import EpochDone, JobDone, JobFailed, Note, Stepped
from vitzoo.growing.execution import Execution
from vitzoo.growing.grow import Work, plan_jobs
from vitzoo.growing.jobs import GrowPopulation, Places
from vitzoo.growing.plan import make_plan

PLACES = Places(Path("zoo"), Path("data"), Path("cache"))
EXECUTION = Execution(device="cpu", precision="float32", stack=60, tokens=1)


@pytest.fixture
def work() -> Work:
    plan = make_plan(load("nano", ["pretraining.hyperparameters.epochs=5"]))
    stages = [plan.stage("pretraining"), plan.stage("finetuning")]
    statuses = {recipe.name: "planned" for recipe in plan.members}
    jobs = plan_jobs(stages, statuses, EXECUTION, PLACES)
    return Work(None, EXECUTION, 2, 250, 0, tuple(jobs))  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def population(work: Work, i: int = 0) -> GrowPopulation:
    return [job for job in work.jobs if isinstance(job, GrowPopulation)][i]


def epoch(job: GrowPopulation, number: int, diverged: int = 0, **metrics: Any) -> EpochDone:
    rows = {recipe.name: {"test_acc": 0.5, "images_per_second": 1234.5} | metrics for recipe in job.recipes}
    return EpochDone(job.id, number, rows, list(rows)[:diverged])


def test_all_of_it_is_done_when_every_job_is(work: Work) -> None:
    tally = Tally(work)
    shares = [tally.done()]
    for job in work.jobs:
        if isinstance(job, GrowPopulation):
            tally.take(epoch(job, 1))
            shares.append(tally.done())
            tally.take(Stepped(job.id, 0.5))
            shares.append(tally.done())
        tally.take(JobDone(job.id))
        shares.append(tally.done())
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[-1] == pytest.approx(1)
    assert tally.members_done == 250
    assert tally.latest == {}


def test_share_is_by_cost(work: Work) -> None:
    tally, job = Tally(work), population(work)
    tally.take(epoch(job, 1))
    tally.take(Stepped(job.id, 0.5))
    total = sum(job.cost for job in work.jobs if isinstance(job, GrowPopulation))
    assert tally.done() == pytest.approx(job.cost * 1.5 / tally.epochs(job.id) / total)


def test_time_left_is_the_rate_so_far(work: Work, clock: list[float]) -> None:
    tally, job = Tally(work), population(work)
    assert tally.seconds_left() is None
    tally.take(epoch(job, 0))  # training starts here; what came before, such as decoding, is not counted
    assert tally.seconds_left() is None
    clock[0] += 10
    tally.take(epoch(job, 1))
    done = tally.done()
    assert tally.seconds_left() == pytest.approx(10 * (1 - done) / done)


def test_events_of_data_jobs_and_of_nobody_are_no_progress(work: Work) -> None:
    tally = Tally(work)
    for event in (Note("hello"), JobDone(work.jobs[0].id), Stepped(work.jobs[0].id, 0.5), JobFailed("x", "t", 1, "")):
        tally.take(event)
    assert tally.done() == 0


def test_an_epochs_line(work: Work) -> None:
    tally, job = Tally(work), population(work)
    event = epoch(job, 2, diverged=1)
    tally.take(event)
    line = epoch_line(tally, event)
    plural = "s" if len(job.recipes) > 1 else ""
    assert line.startswith(f"[0/250] pretraining {len(job.recipes)} member{plural} (")
    for part in ("epoch 2/5", "test acc 50.0 %", "1,234 images/s", f"diverged: {job.recipes[0].name}"):
        assert part in line
    unknown = epoch(job, 0, test_acc=None, images_per_second=None)
    assert "test acc not known" in epoch_line(tally, unknown)
    assert "images/s" not in epoch_line(tally, unknown)


def test_a_line_survives_members_that_are_gone(work: Work) -> None:
    tally, job = Tally(work), population(work, -1)
    rows: dict[str, Any] = {recipe.name: None for recipe in job.recipes}
    assert "test acc not known" in epoch_line(tally, EpochDone(job.id, 3, rows))
    assert describe(job) in epoch_line(tally, EpochDone(job.id, 3, rows))


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_output_is_a_line_an_epoch_without_markup(work: Work) -> None:
    console = Console(file=io.StringIO(), width=40)
    job = population(work)
    with Plain(console, work) as plain:
        plain.take(Note("Preparing [bold]digits[/bold]."))
        plain.take(Stepped(job.id, 0.1))
        plain.tick()
        plain.take(epoch(job, 1))
        plain.take(JobFailed(job.id, "The data is not there.", 3, "traceback"))
    lines = shown(console).splitlines()
    assert len(lines) == 3  # longer than the console is wide, yet not folded
    assert lines[0] == "Preparing [bold]digits[/bold]."
    assert "epoch 1/5" in lines[1]
    assert lines[2] == "failed: The data is not there."


def test_the_live_display_draws(work: Work) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    job = population(work)
    with Display(console, work) as display:
        for event in (Note("Preparing."), epoch(job, 1, diverged=1), Stepped(job.id, 0.5)):
            display.take(event)
            display.tick()
        with console.capture() as captured:
            console.print(display._draw())
    text = captured.get()
    assert "0/250 members" in text and "1/5" in text and "50.0 %" in text
