"""How fast the lineage of 130 ViT-S/16 is recovered, beside what the machine can do and beside official MoTHer.

Usage: python benchmarks/lineage_speed.py [--rounds 3] [--families 10] [--members 13] [--full] [--out FILE.json]

Families are planted in a temporary folder, which is removed: a root drawn from N(0, 0.02), and from it three trainings
of four random steps each, 87 MB a model. In every round, in this order: the files are read and thrown away by a thread
per core; the products of the pass are computed by themselves, and general ones of the same shapes; the pass (`gather`)
and the method run in a process of their own, whose peak memory is reported; official MoTHer compares all pairs of
models; files are dropped from the page cache and read; they are dropped again for another pass.

The bound on a pass is the slower of two: reading the same bytes, and multiplying the matrix of weights by its transpose
with all cores in the precision, blocks and by the routine of the pass, which computes one triangle. Counted as GEMM,
the pass has twice as many operations, and is compared with general products of these shapes. Official MoTHer is timed
on all models for the square matrices of one block and scaled by the number of blocks; `--full` also times it once on
all blocks. Its kurtosis and its trees are not counted, which is in its favour.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from step import cpu
from threadpoolctl import threadpool_info, threadpool_limits
from weigh import forget, read, timed

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.lineage.case import Case
from vitzoo.lineage.methods.official import differences
from vitzoo.lineage.models import Models, open_models
from vitzoo.lineage.recover import recover
from vitzoo.measures.gram import BLOCK
from vitzoo.model.shapes import parameter_shapes
from vitzoo.zoo import safetensors_io

HEAD = Head(kind="linear", hidden=None, outputs=100)
VIT_S = Backbone(image_size=224, patch_size=16, dim=384, depth=12, heads=6, mlp_ratio=4, init="timm", head=HEAD)
RUNS = 3  # trainings that begin at a root
STD, FIRST, SHRINK = 0.02, (0.2, 0.4), 0.8  # first step of a training as a share of the root's norm; each is shorter


def plant(folder: Path, families: int, members: int) -> tuple[list[Path], np.ndarray]:
    """Write families of models and return their files, shuffled, and the index of each one's parent."""
    order = np.random.default_rng(0).permutation(families * members)
    paths = [folder / f"{number}.safetensors" for number in order]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda k: family(k, members, paths[k * members : (k + 1) * members]), range(families)))
    parents = np.full(len(order), -1)
    for k, own in enumerate(found):
        parents[order[k * members + 1 : (k + 1) * members]] = order[k * members + own[1:]]
    return sorted(paths, key=lambda path: int(path.stem)), parents


def family(seed: int, members: int, paths: list[Path]) -> np.ndarray:
    """Write a root and what was trained from it; return the index of each one's parent within the family."""
    rng = np.random.default_rng(seed)
    shapes = parameter_shapes(VIT_S)
    bounds = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes.values())])

    def write(path: Path, weights: np.ndarray) -> None:
        pieces = (weights[a:b] for a, b in pairwise(bounds))
        tensors = {name: piece.reshape(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}
        safetensors_io.write(path, tensors)

    root = rng.standard_normal(bounds[-1], dtype=np.float32) * np.float32(STD)
    write(paths[0], root)
    parents = np.full(members, -1)
    for run in np.array_split(np.arange(1, members), RUNS):
        weights, step, parent = root.copy(), rng.uniform(*FIRST) * STD, 0
        for i in run:
            drawn = rng.standard_normal(bounds[-1], dtype=np.float32)
            drawn *= np.float32(step)
            weights += drawn
            write(paths[i], weights)
            parents[i], parent, step = parent, i, step * SHRINK
    return parents


def multiply(models: int, numbers: int, general: bool) -> None:
    """Multiply so many numbers of all models by themselves (``general``: by others), a thread per core."""
    cores = os.cpu_count() or 1
    rng = np.random.default_rng(0)
    drawn = [rng.standard_normal((2, models, BLOCK), dtype=np.float32) for _ in range(cores)]

    def some(pair: np.ndarray) -> None:
        left, right = pair[0], pair[1 if general else 0]
        for _ in range(numbers // (BLOCK * cores)):
            _ = left @ right.T

    with threadpool_limits(1), ThreadPoolExecutor(cores) as pool:
        list(pool.map(some, drawn))


def one_pass(folder: Path) -> dict[str, float]:
    """Time what a user waits for, and say how many parents are right; for a process of its own."""
    paths = sorted(folder.glob("*.safetensors"), key=lambda path: int(path.stem))
    begun = time.perf_counter()
    case = Case(open_models(paths))
    opened = time.perf_counter()
    _ = case.evidence
    passed = time.perf_counter()
    found = recover(case)
    done = time.perf_counter()
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    right = float((found == np.load(folder / "parents.npy")).mean())
    return {
        "headers_s": opened - begun,
        "pass_s": passed - opened,
        "after_s": done - passed,
        "resident_gb": int(peak.split()[1]) * 1024 / 1e9,
        "right": right,
    }


def pairs(models: Models, blocks: int) -> float:
    """Return the seconds of official MoTHer's comparisons in the square matrices of some blocks, reading included."""
    own = tuple(f"blocks.{i}." for i in range(blocks))
    some = Models(
        models.paths,
        [{part: run for part, run in runs.items() if part.name.startswith(own)} for runs in models.runs],
        models.heads,
    )
    return timed(lambda: differences(x.reshape(len(x), -1) for _, x in some.matrices("square")))


def one_round(folder: Path, paths: list[Path], models: Models) -> dict[str, float]:
    """Measure everything once."""
    numbers, cores = sum(part.size for part in models.parts), os.cpu_count() or 1

    def apart() -> dict[str, float]:
        command = [sys.executable, __file__, "--one", str(folder)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    work: dict[str, Callable[[], float]] = {
        "read_warm_s": lambda: timed(lambda: read(paths, cores)),
        "products_s": lambda: timed(lambda: multiply(len(models), numbers, general=False)),
        "gemm_s": lambda: timed(lambda: multiply(len(models), numbers, general=True)),
    }
    read(paths, cores)  # what the page cache lost since it was filled
    found = {}
    for name, job in work.items():
        found[name] = job()
        print(f"{name}: {found[name]:.2f}", file=sys.stderr)
    found |= apart()
    found["official_block_s"] = pairs(models, 1)
    forget(paths)
    found["read_cold_s"] = timed(lambda: read(paths, cores))
    forget(paths)
    found |= {f"cold_{name}": value for name, value in apart().items()}
    print(json.dumps(found), file=sys.stderr)
    return found


def main() -> None:
    """Read the arguments, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--families", type=int, default=10)
    parser.add_argument("--members", type=int, default=13)
    parser.add_argument("--full", action="store_true", help="also time official MoTHer in full")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one_pass(arguments.one)))
        return
    with tempfile.TemporaryDirectory(prefix="lineage-speed-") as name:
        folder, needed = Path(name), arguments.families * arguments.members * 88e6
        if shutil.disk_usage(folder).free < 1.2 * needed:
            raise SystemExit(
                f"{folder.parent} has no room for {needed / 1e9:.1f} GB. Set TMPDIR to a folder with more."
            )
        paths, parents = plant(folder, arguments.families, arguments.members)
        np.save(folder / "parents.npy", parents)
        models = open_models(paths)
        rounds = [one_round(folder, paths, models) for _ in range(arguments.rounds)]
        full = pairs(models, VIT_S.depth) if arguments.full else None
        facts = {
            "cpu": cpu(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "blas": [f"{lib['internal_api']} {lib['version']} {lib.get('architecture')}" for lib in threadpool_info()],
            "models": len(models),
            "bytes": sum(path.stat().st_size for path in paths),
            "numbers": sum(part.size for part in models.parts),
            "rounds": [derived(found, models) for found in rounds],
            "official_full_s": full,
        }
    report(facts)
    if arguments.out:
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


def derived(found: dict[str, float], models: Models) -> dict[str, float]:
    """Add the rates and ratios of a round."""
    n, numbers = len(models), sum(part.size for part in models.parts)
    official = found["official_block_s"] * VIT_S.depth
    ours = found["headers_s"] + found["pass_s"] + found["after_s"]
    return found | {
        "read_warm_gb_s": 4 * n * numbers / 1e9 / found["read_warm_s"],
        "read_cold_gb_s": 4 * n * numbers / 1e9 / found["read_cold_s"],
        "products_gflop_s": n * (n + 1) * numbers / 1e9 / found["products_s"],
        "gemm_gflop_s": 2 * n * n * numbers / 1e9 / found["gemm_s"],
        "of_bound": max(found["read_warm_s"], found["products_s"]) / found["pass_s"],
        "of_gemm": max(found["read_warm_s"], found["gemm_s"]) / found["pass_s"],
        "of_bound_cold": max(found["read_cold_s"], found["products_s"]) / found["cold_pass_s"],
        "official_s": official,
        "ratio": official / ours,
    }


ROWS = {
    "read_warm_gb_s": ("reading the files from the page cache, GB/s", ".1f"),
    "read_cold_gb_s": ("reading them from disk, GB/s", ".2f"),
    "products_gflop_s": ("products of the pass by themselves, GFLOP/s of the triangle", ".0f"),
    "gemm_gflop_s": ("general products of these shapes, GFLOP/s", ".0f"),
    "products_s": ("products of the pass by themselves, s", ".2f"),
    "headers_s": ("reading headers, s", ".2f"),
    "pass_s": ("**the pass, s**", ".2f"),
    "of_bound": ("of the bound, one triangle counted", ".0%"),
    "of_gemm": ("of the bound, counted as GEMM", ".0%"),
    "cold_pass_s": ("the pass from disk, s", ".1f"),
    "of_bound_cold": ("of its bound", ".0%"),
    "resident_gb": ("peak resident memory, GB", ".2f"),
    "after_s": ("**all after the pass, s**", ".3f"),
    "right": ("parents that are right", ".1%"),
    "official_s": ("official MoTHer, scaled from one block, s", ".0f"),
    "ratio": ("**times as long as headers, pass and what follows**", ".1f"),
}


def report(facts: dict[str, Any]) -> None:
    """Print the table as markdown."""
    rounds = facts["rounds"]
    print(f"{facts['models']} ViT-S/16, {facts['bytes'] / 1e9:.1f} GB, float32; {facts['cpu']}; NumPy {facts['numpy']}")
    print(f"\n| what | median (range) of {len(rounds)} rounds |\n|---|---|")
    for key, (name, form) in ROWS.items():
        values = [found[key] for found in rounds]
        print(f"| {name} | {statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}}) |")
    if facts["official_full_s"]:
        print(f"\nofficial MoTHer on all {VIT_S.depth} blocks, once: {facts['official_full_s']:.0f} s")


if __name__ == "__main__":
    main()
