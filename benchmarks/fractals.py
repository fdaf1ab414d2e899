"""What drawing an image of fractals costs, against iterated function systems drawn point after point.

Usage: python benchmarks/fractals.py [--rounds 5] [--seconds 1] [--device cuda] [--out FILE.json]

Variants run in turn on one thread for several rounds, so that noise of the machine hits all alike; the table gives
milliseconds of CPU time an image (median, min–max) and the median of the ratios to what ships, round by round. All
draw the same classes with as many points into as many pixels; see fractal_peers.py for the peers. The compiled one is
left out where numba is not installed, and its compilation is not counted. ``live batch`` is the shipped renderer as
training asks it for a batch: 64 images of random classes, in planes of colour. With ``--device cuda`` that one is
measured on a GPU too, in wall time.
"""

import argparse
import importlib.util
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import fractal_peers as peers
import numpy as np
from step import cpu

from vitzoo.blueprint.schema import Fractals
from vitzoo.data.sources import fractals

SIZES = {32: 2000, 64: 4000, 224: 20_000, 512: 100_000}  # pixels a side: points
CLASSES, BATCH = 100, 64
OURS, GPU = "as shipped", "live batch on a GPU"
NUMBA = importlib.util.find_spec("numba") is not None
Variant = Callable[[int], int]  # number of the call → images drawn in it


def settings(size: int) -> Fractals:
    """Return a data set of that size."""
    return Fractals(classes=CLASSES, train_per_class=1000, test_per_class=1, size=size, points=SIZES[size])


def shipped(drawn: fractals.Systems, size: int) -> Variant:
    """Our renderer as the cache calls it: images in order, interleaved colours."""
    images = 256 if size < 100 else 32

    def call(turn: int) -> int:
        fractals.images(drawn, settings(size), "train", np.arange(images) + images * turn)
        return images

    return call


def live(drawn: fractals.Systems, size: int, device: str) -> Variant:
    """Our renderer as a training step calls it."""
    import torch

    chosen = np.random.default_rng(0).integers(0, 1000 * CLASSES, (64, BATCH))

    def call(turn: int) -> int:
        fractals.draw(drawn, settings(size), "train", chosen[turn % len(chosen)], device)
        if device == "cuda":
            torch.cuda.synchronize()
        return BATCH

    return call


def peer(drawn: fractals.Systems, size: int, render: peers.Renderer) -> Variant:
    """A peer, drawing class after class."""

    def call(turn: int) -> int:
        number = turn % CLASSES
        used = drawn.weight[number] > 0
        maps = np.concatenate([drawn.linear[number].reshape(-1, 4), drawn.offset[number]], axis=1)[used]
        render(maps, drawn.weight[number][used].cumsum(), SIZES[size], size)
        return 1

    return call


def variants(drawn: fractals.Systems, size: int, device: str) -> dict[str, Variant]:
    """All that can be measured here."""
    found = {
        OURS: shipped(drawn, size),
        "live batch": live(drawn, size, "cpu"),
        "lean Python loop": peer(drawn, size, peers.loop),
        "FractalDB's steps, points": peer(drawn, size, peers.fractaldb_points),
        "FractalDB's steps, patches": peer(drawn, size, peers.fractaldb_patches),
    }
    if NUMBA:
        found["loop compiled by numba"] = peer(drawn, size, peers.compiled())
    if device == "cuda":
        found[GPU] = live(drawn, size, "cuda")
    return found


def milliseconds(variant: Variant, seconds: float, clock: Callable[[], float]) -> float:
    """Return milliseconds an image, after a call that is not counted."""
    variant(0)
    images, turn, begun = 0, 1, clock()
    while (taken := clock() - begun) < seconds or not images:
        images += variant(turn)
        turn += 1
    return taken / images * 1e3


def measured(drawn: fractals.Systems, size: int, rounds: int, seconds: float, device: str) -> dict[str, list[float]]:
    """Measure all variants at one size in turn, round by round."""
    everything = variants(drawn, size, device)
    found: dict[str, list[float]] = {name: [] for name in everything}
    for done in range(rounds):
        print(f"{size} pixels, round {done + 1} of {rounds}", file=sys.stderr)
        for name, variant in everything.items():
            clock = time.perf_counter if name == GPU else time.process_time
            found[name].append(milliseconds(variant, seconds, clock))
    return found


def main() -> None:
    """Measure, print the table, write the numbers."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not NUMBA:
        print("numba is not installed, so the loop it compiles is left out.", file=sys.stderr)
    drawn = fractals.systems(0, CLASSES)
    each = (arguments.rounds, arguments.seconds, arguments.device)
    times = {size: measured(drawn, size, *each) for size in SIZES}
    report(times, arguments)


def report(times: dict[int, dict[str, list[float]]], arguments: argparse.Namespace) -> None:
    """Print the table as markdown and write the numbers."""
    names = ("torch", "numpy", "pillow", *(["numba"] if NUMBA else []))
    versions = {"python": platform.python_version()} | {name: version(name) for name in names}
    told = ", ".join(" ".join(pair) for pair in versions.items())
    print(f"n = {arguments.rounds} rounds of {arguments.seconds:g} s, one thread, {cpu()}, {told}\n")
    print("| pixels | points | variant | ms an image | of what ships |\n|---:|---:|---|---:|---:|")
    for size, found in times.items():
        for name, each in found.items():
            ratio = statistics.median(a / b for a, b in zip(each, found[OURS], strict=True))
            spread = f"{statistics.median(each):.3g} ({min(each):.3g}–{max(each):.3g})"
            print(f"| {size}² | {SIZES[size]:,} | {name} | {spread} | {ratio:.3g} |")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        result = {"cpu": cpu(), "versions": versions, "rounds": arguments.rounds, "seconds": arguments.seconds}
        rows = {str(size): {"points": SIZES[size], "milliseconds": found} for size, found in times.items()}
        arguments.out.write_text(json.dumps(result | {"sizes": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
