"""Fetching from nginx on this machine, beside curl with as many connections, which neither checks nor records.

Usage: python benchmarks/fetch.py [--members 24] [--megabytes 87] [--rounds 5] [--parallel 8] [--out FILE.json]

A tree in the published layout is served by nginx over loopback. In every round, in turn: curl fetches the same files
to the same disk, ours fetches them into an empty directory (hashes, records and syncs every file), and ours is called
again (hashes what is there). The page cache is warm. Then a tree of 250 members with 50 small checkpoints each is
planned: a request for each folder and config. Rates are bytes of weights over wall seconds; ratios are taken round by
round.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from step import cpu

from vitzoo.sharing.fetching.access import Access
from vitzoo.sharing.fetching.opening import open_source
from vitzoo.sharing.fetching.planning import Query, plan
from vitzoo.sharing.fetching.run import fetch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "sharing"))
from nginx import serving

CONFIG = json.dumps({"seed": 1, "training::mode": "sl", "optim::optimizer": "adamw", "optim::lr": 0.001}).encode()


def make(root: Path, members: int, numbers: range, size: int) -> list[str]:
    """Write members with checkpoints of so many bytes; return the paths of the weights."""
    block, paths = bytes(range(256)) * 4096, []
    for member in range(members):
        folder = root / "pretraining" / f"member_{member:03d}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(CONFIG)
        (folder / "result.json").write_bytes(b"{}\n")
        for number in numbers:
            path = folder / f"checkpoint_{number:06d}" / "checkpoints"
            path.parent.mkdir()
            with path.open("wb") as file:
                for start in range(0, size, len(block)):
                    file.write(block[: size - start])
            paths.append(path.relative_to(root).as_posix())
    return paths


def timed(action: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def curl(address: str, paths: list[str], to: Path, parallel: int) -> None:
    """Fetch files with curl."""
    lines = [f'url = "{address}{path}"\noutput = "{to / path}"\n' for path in paths]
    command = [
        "curl",
        "--no-progress-meter",
        "--fail",
        "--create-dirs",
        "-Z",
        "--parallel-max",
        str(parallel),
        "-K",
        "-",
    ]
    subprocess.run(command, input="".join(lines), text=True, check=True)


def transfers(home: Path, members: int, size: int, rounds: int, parallel: int) -> dict[str, list[float]]:
    """Seconds of each way in each round."""
    paths = make(home / "source", members, range(90, 91), size)
    seconds: dict[str, list[float]] = {"curl": [], "ours": [], "ours again": []}
    to = home / "to"
    with serving(home / "source", home / "nginx") as server:
        for _ in range(rounds):
            seconds["curl"].append(timed(lambda: curl(server.address, paths, to, parallel)))
            shutil.rmtree(to)
            for way in ("ours", "ours again"):
                seconds[way].append(timed(lambda: fetch(to, source=server.address, parallel=parallel)))
            shutil.rmtree(to)
    return seconds


def plans(home: Path, rounds: int, parallel: int) -> dict[str, list[float]]:
    """Seconds until it is known what the last and what all checkpoints of 250 members are."""
    make(home / "wide", 250, range(50), 1)
    seconds: dict[str, list[float]] = {"last": [], "all": []}
    with serving(home / "wide", home / "nginx2") as server:
        for _ in range(rounds):
            for epochs, found in seconds.items():
                access = Access(open_source(server.address), parallel)
                found.append(timed(lambda: plan(access, Query("optimizer = 'adamw'", epochs))))  # noqa: B023
    return seconds


def spread(values: list[float]) -> str:
    """Median with least and greatest."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, value in {"members": 24, "megabytes": 87, "rounds": 5, "parallel": 8}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = given.megabytes * 1_000_000
        moved = transfers(Path(folder), given.members, size, given.rounds, given.parallel)
        planned = plans(Path(folder), given.rounds, given.parallel)
    total = given.members * size
    for way, seconds in moved.items():
        print(f"{way}: {spread([total / second / 1e6 for second in seconds])} MB/s")
    print(f"ours / curl: {spread([c / o for c, o in zip(moved['curl'], moved['ours'], strict=True)])}")
    for epochs, seconds in planned.items():
        print(f"plan of 250 members, --epochs {epochs}: {spread(seconds)} s")
    if given.out:
        found = {
            "cpu": cpu(),
            **{k: v for k, v in vars(given).items() if k != "out"},
            "seconds": moved,
            "plan": planned,
        }
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
