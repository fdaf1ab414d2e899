"""Grow and measure all of tiny-cifar, 10 backbones and 240 fine-tunes with every epoch's checkpoint, in limited time.

Usage: python benchmarks/whole_zoo.py --work DIR [--data DIR] [--device cuda] [--seconds 570] [--toy] [--out FILE.json]

``--data`` holds cifar100_compact.zip and tinyimagenet32_150pc.zip (mosaics, see pack_mosaic.py), or cifar100.npz and
tinyimagenet32.npz. Without them noise of the same size takes their place: then times are right and accuracies are not.
Growing is stopped when four fifths of the time are over; what is there is measured in the rest, and the time that
the whole zoo would have taken follows from the share of the model-images. ``--toy``: the same with tiny everything.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from pack_mosaic import read
from peers import hardware
from populations import noise

from vitzoo.blueprint import expand, load
from vitzoo.blueprint.recipe import Recipe
from vitzoo.zoo import Zoo

GROWING = 0.8  # share of the time
GRACE = 30.0  # seconds in which vitzoo commits what it has after it was asked to stop
#: file → (mosaic, training images, test images, classes)
DATA = {
    "tinyimagenet32.npz": ("tinyimagenet32_150pc.zip", 30_000, 5_000, 200),
    "cifar100.npz": ("cifar100_compact.zip", 50_000, 10_000, 100),
}
SOURCES = [
    "pretraining.dataset.source=npz:tinyimagenet32.npz",
    "pretraining.dataset.classes=200",
    "finetuning.dataset.source=npz:cifar100.npz",
    "finetuning.dataset.classes=100",
]
TOY = [
    "pretraining.architecture.dim=12",
    "pretraining.architecture.depth=1",
    "pretraining.hyperparameters.epochs=2",
    "finetuning.hyperparameters.epochs=1",
    "finetuning.grid.product.hyperparameters.seed=[42]",
]
TOY_IMAGES = {"tinyimagenet32.npz": (512, 50), "cifar100.npz": (256, 50)}


def prepare(data: Path | None, work: Path, toy: bool) -> str:
    """Write both data files into ``work``; return where the images are from."""
    origins = []
    for name, (mosaic, train, test, classes) in DATA.items():
        if toy or data is None or not ((data / name).exists() or (data / mosaic).exists()):
            rng = np.random.default_rng(0)
            train, test = TOY_IMAGES[name] if toy else (train, test)
            parts = noise(train, 32, classes, rng), noise(test, 32, classes, rng)
            origins.append("noise")
        elif (data / name).exists():
            (work / name).symlink_to((data / name).resolve())
            origins.append(name)
            continue
        else:
            parts = read([data / mosaic], ("train",)), read([data / mosaic], ("test", "val"))
            origins.append(mosaic)
        (x, y), (xt, yt) = parts
        np.savez(work / name, x_train=x, y_train=y, x_test=xt, y_test=yt)
    return ", ".join(dict.fromkeys(origins))


def vitzoo(work: Path, seconds: float, *words: str) -> tuple[float, int | None]:
    """Run a command of vitzoo; return its seconds and exit code, None if it was stopped because time was over."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "vitzoo", *words, "--data", str(work), "--cache", str(work / "cache")]
    with (work / f"{words[0]}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        code: int | None = None
        try:
            code = process.wait(max(1.0, seconds))
        except subprocess.TimeoutExpired:
            stop(process)
        except BaseException:  # we are to stop, too
            stop(process)
            raise
    return time.monotonic() - begun, code


def stop(process: subprocess.Popen) -> None:
    """Ask a process to stop, and kill it if it does not in time."""
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()


def model_images(recipe: Recipe, images: int, epochs: int) -> int:
    """Model-images that a member has seen after so many epochs; both views of contrastive training count."""
    h = recipe.hyperparameters
    return epochs * (images // h.batch_size) * h.batch_size * h.views


def grown(zoo: Path, stages: list[tuple[Recipe, ...]], images: list[int]) -> dict[str, Any]:
    """Count what a zoo holds: members, checkpoints, bytes and the share of all model-images."""
    found = {member.name: member for member in Zoo.open(zoo).members()}
    whole = done = checkpoints = finished = 0
    for recipes, n in zip(stages, images, strict=True):
        for recipe in recipes:
            whole += model_images(recipe, n, recipe.hyperparameters.epochs)
            epochs = found[recipe.name].epochs() if recipe.name in found else []
            done += model_images(recipe, n, epochs[-1]) if epochs else 0
            checkpoints += len(epochs)
            finished += recipe.name in found and found[recipe.name].status in ("finished", "diverged")
    size = sum(path.stat().st_size for path in zoo.rglob("*") if path.is_file())
    members = sum(map(len, stages))
    return {
        "members": members,
        "finished": finished,
        "checkpoints": checkpoints,
        "gigabytes": round(size / 1e9, 3),
        "model_images": done,
        "model_images_of_all": whole,
    }


def said(results: dict[str, Any]) -> str:
    """Return the results in a few sentences."""
    g, grow, measure = results["grown"], results["grow_seconds"], results["measure_seconds"]
    rate = g["model_images"] / grow
    lines = [
        f"tiny-cifar ({results['data']}): {g['finished']} of {g['members']} members finished, {g['checkpoints']:,} "
        f"checkpoints, {g['gigabytes']:.1f} GB, grown in {grow:.0f} s, {rate:,.0f} model-images/s with all in it."
    ]
    if g["finished"] < g["members"]:
        share = g["model_images"] / g["model_images_of_all"]
        about = f", about {grow / share:,.0f} s for all of it" if share else ""
        lines.append(f"Stopped when time was over, at {100 * share:.1f} % of the model-images{about}.")
    if results["measure_code"] is None:
        lines.append(f"Measuring was stopped after {measure:.0f} s.")
    elif results["measure_code"] in (0, 1):  # 1: members that are not finished are left out
        lines.append(f"Measured in {measure:.0f} s.")
    else:
        lines.append(f"Measuring failed with code {results['measure_code']}; see measure.log.")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for data, zoo and logs")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=570.0)
    parser.add_argument("--toy", action="store_true")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def grow_and_measure(asked: argparse.Namespace, sets: list[str], origin: str, begun: float) -> dict[str, Any]:
    """Run both commands in the time there is and return what came out."""
    device, zoo = ("--device", asked.device), asked.work / "zoo"
    words = [word for each in sets for word in ("--set", each)]
    until = begun + GROWING * asked.seconds
    grow = ("grow", "tiny-cifar", "--zoo", str(zoo), *device, *words)
    grow_seconds, code = vitzoo(asked.work, until - time.monotonic(), *grow)
    if code:
        sys.exit(f"vitzoo grow failed with code {code}:\n{(asked.work / 'grow.log').read_text()[-2000:]}")
    left = begun + asked.seconds - time.monotonic()
    measure_seconds, measure_code = vitzoo(asked.work, left, "measure", str(zoo), *device)
    images = [TOY_IMAGES[name][0] if asked.toy else train for name, (_, train, _, _) in DATA.items()]
    return {
        "command": sys.argv,
        "hardware": hardware.describe(asked.device),
        "versions": hardware.versions(),
        "data": origin,
        "grown": grown(zoo, [tuple(stage) for stage in expand(load("tiny-cifar", sets))], images),
        "grow_seconds": round(grow_seconds, 1),
        "measure_seconds": round(measure_seconds, 1),
        "measure_code": measure_code,
    }


def main() -> None:
    """Prepare, grow and measure; say and store what came out."""
    asked, begun = arguments(), time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that vitzoo is stopped, too
    asked.work.mkdir(parents=True, exist_ok=True)
    origin = prepare(asked.data, asked.work, asked.toy)
    results = grow_and_measure(asked, [*SOURCES, *(TOY if asked.toy else [])], origin, begun)
    print(said(results))
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
