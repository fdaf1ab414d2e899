"""Peak memory of a tree of processes: the sum of their proportional set sizes, so that shared pages count once."""

import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

INTERVAL = 0.5  # seconds between samples


def descendants(pid: int) -> list[int]:
    """Return a process and all processes below it that are alive."""
    found = [pid]
    for parent in found:  # grows while it is read
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, path.read_text().split())
            except OSError:  # it ended meanwhile
                continue
    return found


def pss_mb(pids: Iterable[int]) -> float:
    """Return the memory of processes in MB (Linux; 0 where the kernel does not tell)."""
    total = 0
    for each in pids:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024 / 1e6


def gpu_mb() -> float:
    """Return the used memory of all GPUs in MB, of whomever."""
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return sum(map(float, lines)) * 1.048576


class Meter:
    """A thread that samples something until the block ends, and keeps the largest value."""

    def __init__(self, sample: Callable[[], float]):
        self.peak = 0.0
        self._sample, self._stop = sample, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            self.peak = max(self.peak, self._sample())
