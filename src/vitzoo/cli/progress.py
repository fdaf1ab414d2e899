"""What a person sees while a zoo grows: a live display in a terminal, one plain line an epoch elsewhere."""

import time
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from vitzoo.cli.output import duration
from vitzoo.growing.events import EpochDone, Event, JobDone, JobFailed, Note, Stepped
from vitzoo.growing.grow import Work
from vitzoo.growing.jobs import GrowPopulation


class Tally:
    """How much is done, by the cost of populations, and so how much time is left. Pure bookkeeping, no printing."""

    def __init__(self, work: Work):
        self.work = work
        self.jobs = {job.id: job for job in work.jobs if isinstance(job, GrowPopulation)}
        self.epoch = dict.fromkeys(self.jobs, 0)
        self.share = dict.fromkeys(self.jobs, 0.0)
        self.latest: dict[str, EpochDone] = {}
        self.members_done = work.done
        self.begun: tuple[float, float] | None = None  # time and share of the first sign of training

    def take(self, event: Event) -> None:
        """Count an event in."""
        if isinstance(event, EpochDone):
            self.epoch[event.job], self.share[event.job] = event.epoch, 0.0
            self.latest[event.job] = event
            self.begun = self.begun or (time.monotonic(), self.done())
        elif isinstance(event, Stepped) and event.job in self.share:
            self.share[event.job] = event.share
        elif isinstance(event, JobDone) and event.job in self.jobs:
            self.epoch[event.job] = self.epochs(event.job)
            self.latest.pop(event.job, None)
            self.members_done += len(self.jobs[event.job].recipes)

    def epochs(self, job: str) -> int:
        """Epochs of a job's members."""
        return self.jobs[job].recipes[0].hyperparameters.epochs

    def done(self) -> float:
        """Share of the work that is done, in [0, 1]."""
        total = sum(job.cost for job in self.jobs.values()) or 1.0
        parts = (job.cost * min(1.0, (self.epoch[i] + self.share[i]) / self.epochs(i)) for i, job in self.jobs.items())
        return sum(parts) / total

    def seconds_left(self) -> float | None:
        """Expected seconds to the end at the rate so far; None until there is a rate."""
        if self.begun is None:
            return None
        elapsed, progress = time.monotonic() - self.begun[0], self.done() - self.begun[1]
        return elapsed * (1 - self.done()) / progress if progress > 0 and elapsed > 1 else None


def epoch_line(tally: Tally, event: EpochDone) -> str:
    """Say in one line what an epoch of a population brought."""
    job = tally.jobs[event.job]
    alive = [metrics for metrics in event.metrics.values() if metrics is not None]
    parts = [
        f"[{tally.members_done}/{tally.work.members}] {describe(job)}",
        f"epoch {event.epoch}/{tally.epochs(event.job)}",
        f"test acc {span(alive, 'test_acc')}",
    ]
    rates = [m["images_per_second"] for m in alive if m.get("images_per_second")]
    if rates:
        parts.append(f"{rates[0]:,.0f} images/s")
    if event.diverged:
        parts.append(f"diverged: {', '.join(event.diverged)}")
    left = tally.seconds_left()
    if left is not None:
        parts.append(f"{duration(left)} left")
    return ", ".join(parts)


def describe(job: GrowPopulation) -> str:
    """Name a population by what its members share."""
    recipe, h = job.recipes[0], job.recipes[0].hyperparameters
    kind = h.task if recipe.stage == "pretraining" else f"{recipe.architecture.head.kind} head"
    plural = "s" if len(job.recipes) > 1 else ""
    return f"{recipe.stage} {len(job.recipes)} member{plural} ({kind}, seed {h.seed}, batch {h.batch_size})"


def span(rows: Iterable[dict[str, Any]], name: str) -> str:
    """Return the range of a metric in percent.

    >>> span([{"a": 0.5}, {"a": 0.75}], "a")
    '50.0–75.0 %'
    """
    values = [row[name] for row in rows if row.get(name) is not None]
    if not values:
        return "not known"
    low, high = f"{min(values):.1%}"[:-1], f"{max(values):.1%}"[:-1]
    return f"{low} %" if low == high else f"{low}–{high} %"


class Plain:
    """One line an epoch, for logs and pipes."""

    def __init__(self, console: Console, work: Work):
        self.console, self.tally = console, Tally(work)

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def take(self, event: Event) -> None:
        """Print what an event says."""
        self.tally.take(event)
        if isinstance(event, EpochDone):
            self._say(epoch_line(self.tally, event))
        elif isinstance(event, Note):
            self._say(event.text)
        elif isinstance(event, JobFailed):
            self._say(f"failed: {event.text}")

    def tick(self) -> None:
        """Nothing moves between lines."""

    def _say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class Display:
    """A bar over all the work with the time left, and a row for every population that is being trained."""

    def __init__(self, console: Console, work: Work):
        self.tally = Tally(work)
        self.note = "Starting the workers."
        columns = (BarColumn(bar_width=40), TextColumn("{task.percentage:>5.1f} %"), TextColumn("{task.description}"))
        self.bar = Progress(*columns, console=console)
        self.task = self.bar.add_task("", total=1.0)
        self.live = Live(console=console, refresh_per_second=4, get_renderable=self._draw, transient=True)

    def __enter__(self) -> "Display":
        self.live.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self.live.__exit__(*details)

    def take(self, event: Event) -> None:
        """Count an event in; failures stay on the screen."""
        self.tally.take(event)
        if isinstance(event, Note):
            self.note = event.text
        elif isinstance(event, JobDone):
            self.note = "Waiting for the workers."  # shown when nothing is being trained
        elif isinstance(event, JobFailed):
            self.live.console.print(f"failed: {event.text}", style="red", markup=False)
        elif isinstance(event, EpochDone) and event.diverged:
            self.live.console.print(f"diverged in epoch {event.epoch}: {', '.join(event.diverged)}", style="yellow")

    def tick(self) -> None:
        """Move the bar."""
        left = self.tally.seconds_left()
        about = f"{self.tally.members_done}/{self.tally.work.members} members"
        about += f" · {duration(left)} left" if left is not None else ""
        self.bar.update(self.task, completed=self.tally.done(), description=about)

    def _draw(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for title in ("growing", "epoch", "test acc", "images/s"):
            table.add_column(title, style="bold" if title == "growing" else "", header_style="dim")
        for job, event in list(self.tally.latest.items()):
            alive = [metrics for metrics in event.metrics.values() if metrics is not None]
            rate = next((m["images_per_second"] for m in alive if m.get("images_per_second")), None)
            table.add_row(
                describe(self.tally.jobs[job]),
                f"{event.epoch}/{self.tally.epochs(job)}",
                span(alive, "test_acc"),
                f"{rate:,.0f}" if rate else "",
            )
        body = table if self.tally.latest else Text(self.note, style="dim")
        return Group(self.bar, body)
