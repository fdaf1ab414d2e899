"""Reading 250 ViT-S: moments and all pairwise distances, against the rate at which the same files can be read.

Usage: python benchmarks/weigh.py ZOO [--members 250] [--rounds 3] [--peer 4] [--out FILE.json]

ZOO is made if it is not there: the paper's blueprint with random weights (backbones drawn, children moved a little),
87 MB a member. In every round, in this order and each from a cold page cache and again from what is then warm: the
files are read and thrown away, by one thread and by one per core; `weigh` measures them without and with hashing. The
peer is what a script does: numpy and scipy on whole vectors, one model and one pair at a time; it is timed on a few
models and pairs, and multiplied.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from step import cpu

from vitzoo.blueprint import expand, load
from vitzoo.growing.grow import config_of
from vitzoo.measures.selection import Selection, select
from vitzoo.measures.weights import weigh
from vitzoo.model.shapes import parameter_shapes
from vitzoo.zoo import Zoo

BUFFER = 8 << 20


def make(path: Path, members: int) -> Zoo:
    """Make a zoo of so many ViT-S, one checkpoint each."""
    blueprint = load("paper", ["finetuning.checkpoints.every=50", "finetuning.checkpoints.initial=false"])
    pretrained, finetuned = expand(blueprint)
    recipes = [*pretrained, *finetuned][:members]
    zoo = Zoo.create(path, name="vit-s", licence="CC0-1.0", blueprint=blueprint.to_yaml(), execution={})
    os.fsync = lambda file: None  # the zoo is thrown away; waiting for the disk is not what is measured
    names = {recipe.id: recipe.name for recipe in recipes}
    for number, recipe in enumerate(recipes):
        print(f"making the zoo: {number} of {len(recipes)} members", end="\r", file=sys.stderr)
        member = zoo.add_member(config_of(recipe, names))
        if not member.epochs():
            commit(member, recipe, np.random.default_rng(number))
    return zoo


def commit(member: Any, recipe: Any, random: np.random.Generator) -> None:
    """Commit a member's last epoch: drawn, or its parent's moved by about the paper's distances."""
    origin, start = None, {}
    if member.parent is not None:
        source = member.parent.checkpoint()
        origin = {"member": source.member.name, "epoch": source.epoch, "sha256": source.sha256}
        start = source.tensors()
    step = 7e-4 if recipe.hyperparameters.optimizer == "sgd" else 7e-2
    tensors = {}
    for name, shape in parameter_shapes(recipe.architecture).items():
        drawn = random.standard_normal(shape, dtype=np.float32)
        base = start.get(name)
        tensors[name] = base + step * drawn if base is not None and base.shape == shape else 0.35 * drawn
    member.commit(recipe.hyperparameters.epochs, tensors, {"test_acc": 0.5}, origin)


def forget(paths: list[Path]) -> None:
    """Drop files from the page cache."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read(paths: list[Path], threads: int) -> None:
    """Read files and throw the bytes away."""

    def one(path: Path) -> None:
        buffer = bytearray(BUFFER)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, paths))


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def fresh(selection: Selection, check: bool) -> None:
    """Weigh without what was cached."""
    shutil.rmtree(selection.zoo.path / "measures", ignore_errors=True)
    found = weigh(selection, check=check)
    assert found.read == len(selection.rows) and not found.left_out, found.left_out[:3]


def peer(selection: Selection, models: int) -> tuple[float, float]:
    """Return seconds a model and seconds a pair of a plain script: scipy and numpy on whole vectors in float64."""
    from scipy import stats

    rows = [row for row in selection.rows if row["stage"] == "finetuning"][:models]
    vectors = []

    def describe() -> None:
        for row in rows:
            tensors = selection.checkpoint(row).tensors()
            vector = np.concatenate([t.ravel() for t in tensors.values()]).astype(np.float64)
            vectors.append(np.concatenate([t.ravel() for n, t in tensors.items() if not n.startswith("head.")]))
            _ = vector.mean(), vector.std(), stats.skew(vector), stats.kurtosis(vector), np.linalg.norm(vector)

    a_model = timed(describe) / len(rows)
    pairs = [(a, b) for i, a in enumerate(vectors) for b in vectors[:i]]
    a_pair = timed(lambda: [np.linalg.norm(a.astype(np.float64) - b) for a, b in pairs]) / len(pairs)
    return a_model, a_pair


def main() -> None:
    """Read the arguments, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--members", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=int, default=4, help="models the peer is timed on")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    selection = select(make(arguments.zoo, arguments.members))
    paths = [selection.checkpoint(row).path / "model.safetensors" for row in selection.rows]
    size, n, cores = sum(path.stat().st_size for path in paths), len(paths), os.cpu_count() or 1
    work: dict[str, Callable[[], object]] = {
        "read, one thread": lambda: read(paths, 1),
        "read, a thread per core": lambda: read(paths, cores),
        "weigh, not hashed": lambda: fresh(selection, False),
        "weigh, hashed": lambda: fresh(selection, True),
    }
    seconds: dict[str, list[float]] = {}
    for number in range(arguments.rounds):
        for cold in (True, False):
            for name, job in work.items():
                if cold:
                    forget(paths)
                kind = f"{name}, {'cold' if cold else 'warm'}"
                seconds.setdefault(kind, []).append(timed(job))
                print(f"round {number + 1}: {kind}: {seconds[kind][-1]:.1f} s", file=sys.stderr)
    own, child = (resource.getrusage(who).ru_maxrss / 1e6 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    a_model, a_pair = peer(selection, arguments.peer)
    whole = n * a_model + n * (n - 1) / 2 * a_pair
    report(seconds, size, n, own + cores * child, whole, a_model, a_pair)
    if arguments.out:
        facts = {"cpu": cpu(), "members": n, "bytes": size, "seconds": seconds, "resident_gb": [own, child]}
        peers = {"per_model_s": a_model, "per_pair_s": a_pair, "n": arguments.peer}
        arguments.out.write_text(json.dumps(facts | {"peer": peers}, indent=1) + "\n")


def report(
    seconds: dict[str, list[float]], size: int, n: int, resident: float, whole: float, a_model: float, a_pair: float
) -> None:
    """Print the rates and the ratios."""
    print(
        f"{n} checkpoints of ViT-S, {size / 1e9:.1f} GB; median (range) of {len(next(iter(seconds.values())))} rounds\n"
    )
    print("| what | seconds | GB/s |\n|---|---|---|")
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(f"| {name} | {middle:.1f} ({min(times):.1f}–{max(times):.1f}) | {size / 1e9 / middle:.2f} |")
    for kind in ("cold", "warm"):
        for reader in ("one thread", "a thread per core"):
            rounds = zip(seconds[f"read, {reader}, {kind}"], seconds[f"weigh, not hashed, {kind}"], strict=True)
            print(
                f"\nweighing as a share of reading, {reader}, {kind}: {statistics.median(a / b for a, b in rounds):.0%}"
            )
    middle = statistics.median(seconds["weigh, not hashed, warm"])
    print(f"\nresident, main process and one per core: {resident:.2f} GB")
    print(f"peer: {a_model:.2f} s a model and {a_pair:.3f} s a pair, so {whole:,.0f} s for all: ", end="")
    print(f"{whole / middle:.0f} times as long")


if __name__ == "__main__":
    main()
