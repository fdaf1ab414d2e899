"""Run a system on a workload: its processes, a few at a time, timed from the first start to the last end."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from peers.memory import Meter, descendants, gpu_mb, pss_mb
from peers.summary import Process, Run, measured
from peers.systems import SYSTEMS, Machine, plan
from peers.workload import Task, Workload

BENCHMARKS = Path(__file__).resolve().parents[1]
PAUSE = 0.02  # seconds between looks at the processes


class Failed(Exception):
    """A process ended with an error, or did not end in time."""


def run(name: str, w: Workload, folder: Path, machine: Machine, limit: float) -> Run:
    """Train a workload with a system in an empty folder and return what was measured.

    Raises:
        Failed: a process failed, or all were not done after ``limit`` seconds.
    """
    tasks, at_once = plan(name, w, folder, machine)
    own = os.getpid()
    with ExitStack() as stack:
        memory = stack.enter_context(Meter(lambda: pss_mb(descendants(own)[1:])))
        gpu = stack.enter_context(Meter(gpu_mb)) if w.device == "cuda" else None
        begun = time.time()
        processes = _drain(name, tasks, at_once, begun + limit)
        seconds = time.time() - begun
    return measured(processes, min(at_once, len(tasks)), seconds, memory.peak, gpu and gpu.peak)


def _drain(name: str, tasks: list[Task], at_once: int, deadline: float) -> list[Process]:
    """Run all tasks, at most ``at_once`` at a time."""
    waiting, done = list(tasks), []
    running: list[tuple[subprocess.Popen, Task, float]] = []
    with _ended(running):
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append((_start(name, waiting[0]), waiting.pop(0), time.time()))
            for entry in [entry for entry in running if entry[0].poll() is not None]:
                running.remove(entry)
                done.append(_finished(*entry))
            if time.time() > deadline:
                raise Failed(f"{name} was not done in time")
            time.sleep(PAUSE)
    return done


def _start(name: str, task: Task) -> subprocess.Popen:
    system, path = SYSTEMS[name], task.write()
    paths = [str(BENCHMARKS), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}
    if task.threads:
        environment |= {"OMP_NUM_THREADS": str(task.threads), "MKL_NUM_THREADS": str(task.threads)}
    command = [sys.executable, "-m", system.module, str(path), *system.flags]
    with (path.parent / "log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, process_group=0)


def _finished(process: subprocess.Popen, task: Task, launched: float) -> Process:
    if process.returncode:
        log = (Path(task.folder) / "log").read_text(errors="replace").strip().splitlines()
        raise Failed(f"ended with code {process.returncode}: {log[-1] if log else 'no word'}")
    return Process.read(task.report, launched)


@contextmanager
def _ended(running: list[tuple[subprocess.Popen, Task, float]]):
    """End what still runs, with all it started, however the block ends."""
    try:
        yield
    finally:
        for process, _, _ in running:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()
