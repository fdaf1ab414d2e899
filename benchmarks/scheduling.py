"""What it costs to schedule a job: jobs that do nothing, on our engines and beside them Ray Tune.

Usage: python benchmarks/scheduling.py [--rounds 5] [--out FILE.json]
       python benchmarks/scheduling.py --table FILE.json

Every measurement is a process of its own, in turn for several rounds. Our graph is that of a zoo: a job for each worker
that all need (the data, which here sleeps until all workers are up), backbones that need them, and 24 jobs that need
each backbone. "One by one" never sends a Ray worker two jobs in a call, as it is with jobs that take longer than a
moment. Ray Tune runs as many trials of a function that returns at once, with actors that are used again, two at a time,
as we have workers. Ray is started before the clock. A job's cost is the time from the moment that workers are up (Tune:
that the first trial is done) to the last job done, divided by the jobs between; the driver's CPU seconds are taken over
the same span.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from step import cpu

WORKERS = 2
CHILDREN = 24  # jobs that need one backbone, as in the paper's zoo of 10 + 240
STARTING_SECONDS = 5.0
SIZES = {
    "local": (250, 1000, 10_000),
    "ray": (250, 1000, 10_000),
    "ray, one by one": (250, 1000, 10_000),
    "ray tune": (250, 1000),
}


@dataclass(frozen=True)
class Nothing:
    """A job that does nothing, or sleeps."""

    id: str
    needs: frozenset[str] = frozenset()
    seconds: float = 0.0

    def do(self, tell: Any, beat: Any, guard: Any) -> None:
        """Sleep."""
        time.sleep(self.seconds)


class Clock:
    """Times of jobs done, by the wall and by this process's CPU."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def tick(self) -> None:
        """A job is done."""
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def per_job(self, first: int = 0) -> dict[str, float]:
        """Return milliseconds per job since the job counted ``first`` was done."""
        jobs = len(self.wall) - 1 - first
        spans = {"wall": self.wall[-1] - self.wall[first], "cpu": self.cpu[-1] - self.cpu[first]}
        return {kind: seconds / jobs * 1e3 for kind, seconds in spans.items()}


def graph(n: int) -> list[Nothing]:
    """Return n jobs as in a zoo, after those that they wait for."""
    data = [Nothing(f"data{i}", seconds=STARTING_SECONDS) for i in range(WORKERS)]
    needs = frozenset(job.id for job in data)
    backbones = [Nothing(f"backbone{i}", needs) for i in range(max(1, n // (CHILDREN + 1)))]
    rest = range(n - len(backbones))
    children = [Nothing(f"child{i}", frozenset({backbones[i % len(backbones)].id})) for i in rest]
    return [*data, *backbones, *children]


def ours(crew: Any, n: int) -> dict[str, float]:
    """Schedule a graph and return its cost."""
    from vitzoo.growing.engines import schedule
    from vitzoo.growing.events import JobDone

    clock = Clock()
    failures = schedule.run(
        graph(n), crew, lambda event: clock.tick() if isinstance(event, JobDone) else None, lambda: None
    )
    assert not failures and len(clock.wall) == n + WORKERS
    return clock.per_job(WORKERS - 1)


def on_local(n: int) -> dict[str, float]:
    """Measure the local engine."""
    from vitzoo.growing.engines.local import LocalCrew

    return ours(LocalCrew(WORKERS), n)


def on_ray(n: int, ahead: int | None = None) -> dict[str, float]:
    """Measure the Ray engine, its claims included; ``ahead``: the most jobs given to a worker at once."""
    import ray

    from vitzoo.growing.engines.ray.connect import connect
    from vitzoo.growing.engines.ray.nodes import Need
    from vitzoo.growing.execution import Execution

    connect(None)
    from vitzoo.growing.engines.ray.crew import MOST_AHEAD, RayCrew

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "zoo.json").write_text("{}")
        execution = Execution.model_validate({"device": "cpu", "precision": "float32", "tokens": 1})
        cost = ours(RayCrew(Path(folder), execution, Need(1, 0), WORKERS, ahead or MOST_AHEAD), n)
        ray.shutdown()
    return cost


def on_tune(n: int) -> dict[str, float]:
    """Measure Ray Tune."""
    import ray

    from vitzoo.growing.engines.ray.connect import connect

    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # no files for TensorBoard and CSV
    connect(None)
    from ray import tune

    clock = Clock()

    class Watch(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            clock.tick()

    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            lambda config: {"done": 1},
            param_space={"i": tune.grid_search(list(range(n)))},
            tune_config=tune.TuneConfig(max_concurrent_trials=WORKERS, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[Watch()]),
        ).fit()
        ray.shutdown()
    assert not results.num_errors and len(clock.wall) == n
    return clock.per_job()


MEASURES = {"local": on_local, "ray": on_ray, "ray, one by one": partial(on_ray, ahead=1), "ray tune": on_tune}


def measure(system: str, n: int) -> dict[str, float]:
    """Measure in a process of its own."""
    call = f"import json, scheduling; print(json.dumps(scheduling.MEASURES[{system!r}]({n})))"
    command = [sys.executable, "-c", call]  # imported, so that jobs are sent by reference, as those of vitzoo are
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=here)
    return json.loads(done.stdout.splitlines()[-1])


def table(result: dict[str, Any]) -> str:
    """Return the figures as Markdown: median (least–greatest) over rounds."""
    lines = [
        f"n = {result['rounds']} rounds, {WORKERS} workers, {result['cpu']}, Ray {result['versions']['ray']}",
        "",
        "| system | jobs | ms a job | of it the driver's CPU |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        wall, own = (spread([found[kind] for found in row["ms"]]) for kind in ("wall", "cpu"))
        lines.append(f"| {row['system']} | {row['jobs']:,} | {wall} | {own} |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Return the median with least and greatest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def main() -> None:
    """Measure all systems at all sizes in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--only", choices=MEASURES, help="one system")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(json.loads(arguments.table.read_text())))
    else:
        run([arguments.only] if arguments.only else list(SIZES), arguments.rounds, arguments.out)


def run(systems: Sequence[str], rounds: int, out: Path | None) -> None:
    """Measure, print the table and write the numbers."""
    rows: list[dict[str, Any]] = [{"system": system, "jobs": n, "ms": []} for system in systems for n in SIZES[system]]
    for done in range(rounds):
        for row in rows:
            print(f"round {done + 1} of {rounds}: {row['system']}, {row['jobs']} jobs", file=sys.stderr)
            row["ms"].append(measure(row["system"], row["jobs"]) | {"load": os.getloadavg()[0]})
    result = {
        "cpu": cpu(),
        "rounds": rounds,
        "versions": {"python": platform.python_version(), "vitzoo": version("vitzoo"), "ray": version("ray")},
        "rows": rows,
    }
    print(table(result))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
