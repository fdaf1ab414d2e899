"""Evaluating 240 soups: our stacks, against loading the models and evaluating their averages one by one with timm.

Usage: python benchmarks/soups.py ZOO [--soups 240] [--rounds 5] [--threads 0] [--out FILE.json]

ZOO is a grown one, such as nano (240 fine-tuned members, 320 soups over one factor). In every round, in turn and from
warm files: *ours* reads, checks and averages weights, and judges all on the test split, without its
cache; *one by one* is what a person does: for each soup it loads the state dicts with safetensors, averages them, loads
the mean into a timm model that was built once, and runs over the test split in batches of 256, which lies ready as
normalised tensors. Both are one process with as many threads as cores (``--threads``) and both end with accuracies,
which must be equal. A ratio is of one round.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from step import cpu

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.device import DeviceSplit
from vitzoo.measures import inference
from vitzoo.measures.scoring import Ground, score
from vitzoo.measures.selection import Selection
from vitzoo.merging.study.choose import choose
from vitzoo.merging.study.plan import Soup, Trajectory, soups
from vitzoo.merging.study.shelf import Shelf
from vitzoo.model import timm_names
from vitzoo.model.layout import Layout
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import WEIGHTS

BATCH = 256
Images = tuple[torch.Tensor, torch.Tensor]  # as a model is fed them, and labels
Families = list[tuple[Recipe, list[Trajectory]]]


def ours(selection: Selection, families: Families, splits: Sequence[DeviceSplit], count: int) -> np.ndarray:
    """Return the accuracies of the soups, by the functions of `vitzoo merge study`."""
    found = []
    for (recipe, _), split, mixed in zip(families, splits, planned(families, count), strict=True):
        shelf = Shelf(selection, Layout.of(recipe.architecture))
        models = [soup.rows for soup in mixed]
        ground = Ground(recipe, recipe.architecture.head.outputs or 0, split)
        found.append(score(ground, lambda a, b, s=shelf, m=models: s.averages(m[a:b]), len(models)).accuracy)
    return np.concatenate(found)


def one_by_one(zoo: Zoo, families: Families, images: Sequence[Images], count: int) -> np.ndarray:
    """Return the accuracies of the soups, by a plain loop over timm models."""
    found = []
    for (recipe, _), (x, y), mixed in zip(families, images, planned(families, count), strict=True):
        model = None
        for soup in mixed:
            states = [load_file(zoo.path / row["path"] / WEIGHTS) for row in soup.rows]
            mean = {name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]}
            if model is None:
                model = timm_names.create(timm_names.describe(recipe.architecture, recipe.dataset), mean)
            model.load_state_dict(mean)
            right = 0
            with torch.inference_mode():
                for start in range(0, len(x), BATCH):
                    outputs = model(x[start : start + BATCH])
                    right += int((outputs.argmax(1) == y[start : start + BATCH]).sum())
            found.append(right / len(x))
    return np.array(found)


def planned(families: Families, count: int) -> list[list[Soup]]:
    """Return as many soups of each family, ``count`` in all."""
    share = -(-count // len(families))
    return [soups(trajectories)[:share] for _, trajectories in families]


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the seconds that something takes, and what it returns."""
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def main() -> None:
    """Read the arguments, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--soups", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as cores")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "vitzoo")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    zoo = Zoo.open(arguments.zoo)
    choice = choose(zoo)
    families = choice.found
    places = inference.Places(arguments.data.resolve(), arguments.cache.resolve())
    splits = [inference.split_of(places.labelled(recipe), "test") for recipe, _ in families]
    images = [ready(recipe, split) for (recipe, _), split in zip(families, splits, strict=True)]
    work = {
        "ours": lambda: ours(choice.selection, families, splits, arguments.soups),
        "one by one": lambda: one_by_one(zoo, families, images, arguments.soups),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for number in range(-1, arguments.rounds):  # the first warms files up and is not counted
        accuracies = {}
        for name, job in work.items():
            taken, accuracies[name] = timed(job)
            if number >= 0:
                seconds[name].append(taken)
                print(f"round {number + 1}: {name}: {taken:.2f} s", file=sys.stderr)
        # Sums in another order may turn a tie of two classes, so one image in a thousand may differ.
        assert np.abs(accuracies["ours"] - accuracies["one by one"]).mean() < 1e-3
    report(seconds, len(accuracies["ours"]), len(images[0][0]))
    if arguments.out:
        facts = {"cpu": cpu(), "threads": torch.get_num_threads(), "soups": arguments.soups, "seconds": seconds}
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


def ready(recipe: Recipe, split: DeviceSplit) -> Images:
    """Return a test split as a model is fed it."""
    batches = inference.batches(recipe, recipe.architecture.head.outputs or 0, split, BATCH)
    x, y = zip(*[(images[0], labels) for images, labels in batches], strict=True)
    return torch.cat(x), torch.cat(y)


def report(seconds: dict[str, list[float]], count: int, images: int) -> None:
    """Print the times and the ratio of each round."""
    print(f"{count} soups on {images} images; median (range) of {len(seconds['ours'])} rounds\n")
    print("| what | seconds | soups/s |\n|---|---|---|")
    for name, times in seconds.items():
        middle = statistics.median(times)
        print(f"| {name} | {middle:.2f} ({min(times):.2f}–{max(times):.2f}) | {count / middle:.0f} |")
    ratios = [other / own for own, other in zip(seconds["ours"], seconds["one by one"], strict=True)]
    print(f"\nratio: {statistics.median(ratios):.1f} ({min(ratios):.1f}–{max(ratios):.1f})")


if __name__ == "__main__":
    main()
