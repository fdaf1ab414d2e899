"""Opening a zoo, reading a tensor, reading everything, against limits and against other readers in the same rounds.

Usage: python benchmarks/opening.py [--rounds 20] [--zoo DIR] [--models 40] [--folder DIR] [--out FILE.json]

* Opening: a zoo of 12,500 checkpoints, made on the spot (it takes half a minute): ``vitzoo.open``, the catalogue and a
  first query in this process, and as a process of its own from the shell.
* One tensor of a checkpoint drawn at random, of that zoo and of ViT-S checkpoints of 87 MB, all of it in the cache
  of the disk.
* Full scans: all weights of ``--models`` ViT-S checkpoints and of the zoo given, by ``Zoo.scan`` and by ``tensors``. In
  the same rounds the same files are read into one piece of memory that holds any of them (``readinto``: the rate of the
  disk's cache), through a megabyte that stays in the processor's (``cat``), and by the reader of safetensors. All
  readers take the files in the same order; which one begins a round changes. A ratio is the median over rounds.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from speed import listed_zoo
from step import cpu

LIMITS = {"open, catalogue, query": 0.3, "process": 0.3, "tensor, 12,500 checkpoints": 0.005, "tensor, ViT-S": 0.005}
SHARE = 0.8  # of the rate of the disk's cache, for a full scan
QUERY = "optimizer = 'adamw' AND epoch = 5"
Seconds = dict[str, list[float]]


def timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def opening(zoo: Path, rounds: int) -> Seconds:
    """Time opening in this process, which has imported all it needs, and in one that has to."""
    import vitzoo

    code = f"import vitzoo; vitzoo.open({str(zoo)!r}).rows({QUERY!r})"
    words = [sys.executable, "-c", code]

    def ask() -> None:
        assert vitzoo.open(zoo).rows(QUERY)

    ask()  # the first call builds the catalogue if the zoo is too young to have one
    return {
        "open, catalogue, query": [timed(ask) for _ in range(rounds)],
        "process": [timed(lambda: subprocess.run(words, check=True)) for _ in range(rounds)],
        "python -c pass": [timed(lambda: subprocess.run([sys.executable, "-c", "pass"])) for _ in range(rounds)],
    }


def tensor(zoo: Path, rounds: int) -> list[float]:
    """Time to read one tensor of a random checkpoint of an open zoo: which member, which epoch, which tensor."""
    import vitzoo

    opened, draw = vitzoo.open(zoo), random.Random(0)
    names = [member.name for member in opened.members()]

    def read() -> None:
        member = opened.member(draw.choice(names))
        checkpoint = member.checkpoint(draw.choice(member.epochs()))
        name = draw.choice(checkpoint.names())
        assert checkpoint.tensors([name])[name].size

    read()
    return [timed(read) for _ in range(rounds)]


def vit_zoo(path: Path, models: int) -> Path:
    """Make a zoo of one ViT-S that has so many checkpoints of 87 MB."""
    import numpy as np

    from vitzoo.blueprint import expand, load
    from vitzoo.growing.grow import config_of
    from vitzoo.model.shapes import parameter_shapes
    from vitzoo.zoo import Zoo

    os.fsync = lambda file: None  # the zoo is thrown away; waiting for the disk is not what is measured
    blueprint = load("paper", [f"pretraining.hyperparameters.epochs={models}", "finetuning=null"])
    recipe = expand(blueprint)[0][0]
    zoo = Zoo.create(path, name="vits", licence="CC0-1.0", blueprint=blueprint.to_yaml(), execution={})
    member, random = zoo.add_member(config_of(recipe, {})), np.random.default_rng(0)
    drawn = {n: random.standard_normal(s, dtype="f4") for n, s in parameter_shapes(recipe.architecture).items()}
    for epoch in range(models):
        drawn["cls_token"][0, 0, 0] = epoch
        member.commit(epoch, drawn, {"test_acc": 0.5}, None)
    zoo.rebuild_catalogue()
    return path


def readers(zoo: Path) -> tuple[dict[str, Callable[[], object]], int, int]:
    """Return the ways to read all weights of a zoo, the number of files and their bytes."""
    import numpy as np
    from safetensors.numpy import load_file

    import vitzoo

    opened = vitzoo.open(zoo)
    checkpoints = [checkpoint for member in opened.members() for checkpoint in member.checkpoints()]
    files = [str(checkpoint.file()) for checkpoint in checkpoints]
    size = sum(map(os.path.getsize, files))
    whole, piece = np.empty(max(map(os.path.getsize, files)), "u1"), memoryview(bytearray(1 << 20))

    def through(memory: Any) -> None:
        for file in files:
            descriptor = os.open(file, os.O_RDONLY)
            while os.readv(descriptor, [memory]):
                pass
            os.close(descriptor)

    def scan() -> None:
        for _ in opened.scan():
            pass

    def tensors() -> None:
        for checkpoint in checkpoints:
            checkpoint.tensors()

    found: dict[str, Callable[[], object]] = {
        "readinto": lambda: through(whole),
        "cat": lambda: through(piece),
        "Zoo.scan": scan,
        "Checkpoint.tensors": tensors,
        "safetensors load_file": lambda: [load_file(file) for file in files] and None,
    }
    return found, len(files), size


def in_turn(actions: dict[str, Callable[[], object]], rounds: int) -> Seconds:
    """Time all actions in every round; each begins as many rounds as the others."""
    names = list(actions)
    found: Seconds = {name: [] for name in names}
    for action in actions.values():
        action()  # fills the caches
    for count in range(rounds):
        for name in names[count % len(names) :] + names[: count % len(names)]:
            found[name].append(timed(actions[name]))
    return found


def print_times(times: Seconds) -> None:
    print("| what | n | median, ms | min–max | limit, ms |\n|---|---:|---:|---:|---:|")
    for name, found in times.items():
        span = f"{1000 * min(found):.2f}–{1000 * max(found):.2f}"
        limit = f"{1000 * LIMITS[name]:g}" if name in LIMITS else ""
        print(f"| {name} | {len(found)} | {1000 * statistics.median(found):.2f} | {span} | {limit} |")


def ratios(times: Seconds, name: str, to: str) -> Sequence[float]:
    """Return how many times as fast as another a reader was, round by round, falling."""
    return sorted((b / a for a, b in zip(times[name], times[to], strict=True)), reverse=True)


def print_scan(title: str, times: Seconds, files: int, size: int) -> None:
    print(f"\n{title}: {files:,} files, {size / 1e9:.2f} GB, n = {len(times['cat'])} rounds\n")
    print(
        "| reader | GB/s | µs a file | of readinto (min–max) | of cat | of load_file |\n|---|---:|---:|---:|---:|---:|"
    )
    for name, found in times.items():
        middle = statistics.median(found)
        against = {to: ratios(times, name, to) for to in ("readinto", "cat", "safetensors load_file")}
        told = [f"{statistics.median(each):.2f}" for each in against.values()]
        told[0] += f" ({against['readinto'][-1]:.2f}–{against['readinto'][0]:.2f})"
        print(f"| {name} | {size / middle / 1e9:.2f} | {1e6 * middle / files:.0f} | {' | '.join(told)} |")


def main() -> None:
    """Measure, print the tables, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--zoo", type=Path, action="append", default=[], help="another zoo to be scanned")
    parser.add_argument("--models", type=int, default=40, help="ViT-S checkpoints to scan; each is 87 MB on disk")
    parser.add_argument("--folder", type=Path, help="where the zoos are made, and removed again")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    scans: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        listed, vits = listed_zoo(Path(folder) / "listed"), vit_zoo(Path(folder) / "vits", arguments.models)
        time.sleep(3)  # a catalogue younger than its tree by less than two seconds is not trusted
        times = opening(listed, arguments.rounds)
        times["tensor, 12,500 checkpoints"] = tensor(listed, 20 * arguments.rounds)
        times["tensor, ViT-S"] = tensor(vits, 20 * arguments.rounds)
        print(f"{cpu()}\n")
        print_times(times)
        for zoo in (vits, *arguments.zoo):
            found, files, size = readers(zoo)
            scans[zoo.name] = {"files": files, "bytes": size, "seconds": in_turn(found, arguments.rounds)}
            print_scan(zoo.name, scans[zoo.name]["seconds"], files, size)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"cpu": cpu(), "seconds": times, "scans": scans}, indent=2) + "\n")


if __name__ == "__main__":
    main()
