"""The times a user waits: start-up of the commands, a listing of 12,500 checkpoints, and the whole nano zoo.

Usage: python benchmarks/speed.py [--rounds 10] [--nano 1] [--out FILE.json]

Every command is a process of its own, timed by the wall clock. The listed zoo is made on the spot: 250 members of 50
checkpoints with a tensor each. The nano zoo is grown from nothing with the data cache empty, ``--nano`` times.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from step import cpu

LIMITS = {
    "vitzoo --help": 0.5,
    "vitzoo plan paper": 1.0,
    "vitzoo ls (12,500 checkpoints)": 1.0,
    "vitzoo grow nano": 240.0,
}


def timed(arguments: list[str], environment: dict[str, str] | None = None) -> float:
    """Run vitzoo with these arguments and return the seconds it took."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "vitzoo", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - begun


def listed_zoo(path: Path) -> Path:
    """Make a zoo of the paper's 240 fine-tunes and 10 backbones with 50 checkpoints each."""
    import numpy as np

    from vitzoo.blueprint import expand, load
    from vitzoo.growing.grow import config_of
    from vitzoo.zoo import Zoo

    os.fsync = lambda file: None  # the zoo is thrown away; waiting for the disk is not what is measured
    blueprint = load("paper", ["pretraining.hyperparameters.epochs=49", "finetuning.hyperparameters.epochs=49"])
    recipes = [recipe for stage in expand(blueprint) for recipe in stage]
    names = {recipe.id: recipe.name for recipe in recipes}
    zoo = Zoo.create(path, name="listed", licence="CC0-1.0", blueprint=blueprint.to_yaml(), execution={})
    for done, recipe in enumerate(recipes):
        if done % 50 == 0:
            print(f"making the zoo to list: {done} of {len(recipes)} members", file=sys.stderr)
        member = zoo.add_member(config_of(recipe, names))
        for epoch in range(50):
            origin = None
            if epoch == 0 and member.parent is not None:
                last = member.parent.checkpoint()
                origin = {"member": last.member.name, "epoch": last.epoch, "sha256": last.sha256}
            drawn = np.random.default_rng([done, epoch]).random(4, np.float32)  # no two checkpoints are equal
            metrics = dict(zip(("test_acc", "test_loss", "train_acc", "train_loss"), drawn.tolist(), strict=True))
            member.commit(epoch, {"x": drawn}, metrics, origin)
    zoo.rebuild_catalogue()
    return path


def grow_nano(place: Path) -> float:
    """Grow nano from nothing and return the seconds."""
    environment = os.environ | {"VITZOO_CACHE": str(place / "cache")}
    return timed(["grow", "nano", "--zoo", str(place / "zoo")], environment)


def main() -> None:
    """Measure, print the table, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--nano", type=int, default=1, help="how often to grow the nano zoo")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        zoo = listed_zoo(Path(folder) / "listed")
        time.sleep(3)  # a catalogue younger than its tree by less than two seconds is not trusted
        timed(["ls", str(zoo)])
        times = {
            "vitzoo --help": [timed(["--help"]) for _ in range(arguments.rounds)],
            "vitzoo plan paper": [timed(["plan", "paper"]) for _ in range(arguments.rounds)],
            "vitzoo ls (12,500 checkpoints)": [timed(["ls", str(zoo)]) for _ in range(arguments.rounds)],
            "vitzoo grow nano": [grow_nano(Path(folder) / f"nano{i}") for i in range(arguments.nano)],
        }
    print(f"{cpu()}, wall seconds\n")
    print("| command | n | median | min–max | limit |\n|---|---:|---:|---:|---:|")
    for name, found in times.items():
        if found:
            middle, span = statistics.median(found), f"{min(found):.2f}–{max(found):.2f}"
            print(f"| `{name}` | {len(found)} | {middle:.2f} | {span} | {LIMITS[name]:g} |")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"cpu": cpu(), "seconds": times}, indent=2) + "\n")


if __name__ == "__main__":
    main()
