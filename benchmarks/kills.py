"""Grow nano, kill it with SIGKILL at three moments, let it finish, and compare every checkpoint with a reference.

Usage: python benchmarks/kills.py REFERENCE_ZOO [SECONDS SECONDS SECONDS]

REFERENCE_ZOO was grown without interruption on the same machine. Prints how far each call came, whether all hashes are
equal, and what ``vitzoo verify --deep`` says; exits with 1 if anything differs.
"""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import vitzoo
from vitzoo.zoo import verify

MOMENTS = [40.0, 65.0, 50.0]


def grow(zoo: Path, kill_after: float | None) -> None:
    """Run ``vitzoo grow`` and kill it after so many seconds, or wait for its end."""
    command = [sys.executable, "-m", "vitzoo", "grow", "nano", "--zoo", str(zoo)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    if kill_after is None:
        if process.wait() != 0:
            sys.exit("growing failed")
        return
    time.sleep(kill_after)
    process.send_signal(signal.SIGKILL)  # its workers die with it
    process.wait()
    held = len(list(zoo.glob("*/**/checkpoint_*/manifest.json")))
    print(f"killed after {kill_after:g} s: {held} checkpoints committed", flush=True)


def hashes(zoo: Path) -> dict[tuple[str, int], str]:
    """SHA-256 of every checkpoint's weights, by member and epoch."""
    return {(row["member"], row["epoch"]): row["sha256"] for row in vitzoo.open(zoo).rows()}


def main() -> None:
    """Kill three times, finish, compare."""
    reference, moments = Path(sys.argv[1]), [float(word) for word in sys.argv[2:]] or MOMENTS
    with tempfile.TemporaryDirectory() as folder:
        zoo = Path(folder) / "zoo"
        for seconds in [*moments, None]:
            grow(zoo, seconds)
        ours, theirs = hashes(zoo), hashes(reference)
        equal = sum(ours.get(key) == sha256 for key, sha256 in theirs.items())
        report = verify(vitzoo.open(zoo), deep=True)
        print(
            f"{equal} of {len(theirs)} checkpoints have the same SHA-256; verify found {len(report.findings)} problems"
        )
        sys.exit(0 if ours == theirs and report.ok else 1)


if __name__ == "__main__":
    main()
