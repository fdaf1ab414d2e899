"""A blueprint that grows in seconds, and vitzoo as a process that can be watched, signalled and killed."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

TEXT = """\
vitzoo: 1
name: little
licence: CC0-1.0
pretraining:
  architecture: {image_size: 8, patch_size: 4, dim: 8, depth: 1, heads: 2}
  dataset: {source: digits, train_limit: 128, test_limit: 50}
  augmentation: {crop: {kind: random, padding: 1}}
  hyperparameters: {seed: 1, epochs: 2, batch_size: 32, lr: 3e-3}
  grid:
    zip:
      hyperparameters.task: [supervised, contrastive]
      hyperparameters.temperature: [null, 0.1]
      architecture.head: [{kind: linear}, {kind: linear, outputs: 6}]
finetuning:
  dataset: {source: digits, train_limit: 128, test_limit: 50}
  hyperparameters: {seed: 1, epochs: 3, batch_size: 32, lr: 3e-3, mixup: 0.8, stochastic_depth: 0.1}
  checkpoints: {every: 2}
  grid:
    product:
      architecture.head: [{kind: linear}, {kind: mlp, hidden: 8}]
      hyperparameters.optimizer: [adamw, sgd]
"""
MEMBERS, CHECKPOINTS = 10, 2 * 3 + 8 * 3
FIXED = ("--device", "cpu", "--precision", "float32", "--stack", "2")
COMMAND = (sys.executable, "-m", "vitzoo")


def environment(cache: Path) -> dict[str, str]:
    """The test's own cache, and no other settings of the caller's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VITZOO_")}
    return kept | {"VITZOO_CACHE": str(cache), "PYTHONWARNINGS": "error::ResourceWarning", "COLUMNS": "200"}


def vitzoo(cache: Path, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run vitzoo and check its exit code."""
    words = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment(cache), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


class Growing:
    """`vitzoo grow` under way, in a process group of its own as a shell would start it."""

    def __init__(self, cache: Path, *arguments: str | Path) -> None:
        words = [*COMMAND, "grow", *map(str, arguments)]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(cache), process_group=0
        )

    def wait_for_epochs(self, number: int) -> None:
        """Return when so many lines of epochs are printed."""
        assert self.process.stdout
        for line in self.process.stdout:
            number -= ", epoch " in line
            if number == 0:
                return
        raise AssertionError(f"growing ended early: {self.process.communicate()}")

    def workers(self) -> list[int]:
        """Process ids of the workers, by the kernel's list of children."""
        return [pid for pid in children(self.process.pid) if "spawn_main" in command_line(pid)]

    def end(self, send: Callable[[], None]) -> tuple[int, str, float]:
        """Send a signal; return the exit code, stderr, and the seconds to the end. No worker may survive."""
        workers, begun = self.workers(), time.monotonic()
        assert workers
        send()
        _, errors = self.process.communicate(timeout=60)
        seconds = time.monotonic() - begun
        wait_until(lambda: not any(alive(pid) for pid in workers), 10)
        return self.process.returncode, errors, seconds

    def send(self, number: signal.Signals) -> tuple[int, str, float]:
        """End it by a signal to the grower alone."""
        return self.end(lambda: self.process.send_signal(number))

    def send_group(self, number: signal.Signals) -> tuple[int, str, float]:
        """End it by a signal to the whole group, as a terminal and job schedulers do."""
        return self.end(lambda: os.killpg(self.process.pid, number))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def hashes(zoo: Path) -> dict[str, str]:
    """SHA-256 of all weights, by path."""
    files: Sequence[Path] = sorted(zoo.rglob("model.safetensors"))
    return {str(file.relative_to(zoo)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def only(zoo: Path, name: str) -> list[Path]:
    """Paths below a zoo whose name begins so."""
    return [path for path in zoo.rglob("*") if path.name.startswith(name)]
