"""A zoo on a server: seconds and bytes to open one of 12,500 checkpoints, and to read one tensor of a ViT-S.

Usage: python benchmarks/remote.py [--rounds 10] [--rate 0] [--out FILE.json]

nginx serves two zoos on loopback: 250 members of 50 small checkpoints, and one member with one ViT-S/16 (86.9 MB).
Bytes are those that nginx logs for bodies of answers. Every round has an empty cache and does, in turn:

* open: `vitzoo.open(address)` and a count, with nothing kept, then again with what was kept;
* tensor: one matrix of the last block (2.4 MB) of the ViT-S, then the same again from what was kept;
* file: the whole checkpoint, hashed and kept;
* plain: the same file by urllib into memory, neither hashed nor kept, which is what all of it costs at least;
* disk: opening, and the tensor, of the same zoos in their directories.

Libraries are imported before. ``--rate`` limits each connection to so many megabytes a second; 0 is as fast as it goes.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "sharing"))

from nginx import Nginx, serving
from speed import listed_zoo
from step import cpu

TENSOR = "blocks.11.mlp.fc1.weight"
Row = tuple[str, float, int]  # what, seconds, bytes


def large_zoo(path: Path) -> Path:
    """Make a zoo with a checkpoint of a ViT-S/16."""
    import numpy as np

    from vitzoo.blueprint import expand, load
    from vitzoo.growing.grow import config_of
    from vitzoo.model.shapes import parameter_shapes
    from vitzoo.zoo import Zoo

    blueprint = load("paper", [])
    recipe = next(recipe for recipe in expand(blueprint)[0] if recipe.hyperparameters.task == "supervised")
    zoo = Zoo.create(path, name="large", licence="CC0-1.0", blueprint=blueprint.to_yaml(), execution={})
    random = np.random.default_rng(0)
    shapes = parameter_shapes(recipe.architecture)
    weights = {name: random.standard_normal(shape, dtype="f4") for name, shape in shapes.items()}
    zoo.add_member(config_of(recipe, {recipe.id: recipe.name})).commit(0, weights, {"test_acc": 0.5}, None)
    zoo.rebuild_catalogue()
    return path


class Meter:
    """Times what is done, and asks the server what it sent for it."""

    def __init__(self, server: Nginx) -> None:
        self._server, self.rows = server, []

    def take(self, what: str, job: Callable[[], object]) -> None:
        """Do something and note seconds and bytes."""
        self._server.forget()
        begun = time.perf_counter()
        job()
        seconds = time.perf_counter() - begun
        time.sleep(0.05)  # nginx logs a request when it is done with it
        self.rows.append((what, seconds, sum(request.sent for request in self._server.requests())))


def one_round(server: Nginx, root: Path) -> list[Row]:
    """Do everything once, with an empty cache."""
    import vitzoo

    with tempfile.TemporaryDirectory() as cache:
        os.environ["VITZOO_CACHE"] = cache
        listed, large = f"{server.address}listed", f"{server.address}large"
        meter = Meter(server)
        meter.take("open, first", lambda: vitzoo.open(listed).count())
        meter.take("open, again", lambda: vitzoo.open(listed).count())
        meter.take("open, disk", lambda: vitzoo.open(root / "listed").count())
        member, again, local = (vitzoo.open(place).members()[0] for place in (large, large, root / "large"))
        meter.take("tensor, first", lambda: member.checkpoint().tensors([TENSOR]))
        meter.take("tensor, again", lambda: again.checkpoint().tensors([TENSOR]))
        meter.take("tensor, disk", lambda: local.checkpoint().tensors([TENSOR]))
        meter.take("file", lambda: member.checkpoint().file())
        address = f"{member.checkpoint().place}/model.safetensors"
        meter.take("file, plain", lambda: urllib.request.urlopen(address).read())
    return meter.rows


def main() -> None:
    """Measure, print the table, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0, help="megabytes a second of each connection")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rate = f"{round(1000 * arguments.rate)}k" if arguments.rate else None
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        listed_zoo(root / "zoos" / "listed")
        large_zoo(root / "zoos" / "large")
        time.sleep(3)  # a catalogue younger than its tree by less than two seconds is not trusted
        with serving(root / "zoos", root / "nginx", rate) as server:
            one_round(server, root / "zoos")  # imports
            rounds = [one_round(server, root / "zoos") for _ in range(arguments.rounds)]
    limit = f"{arguments.rate:g} MB/s a connection" if rate else "no limit"
    print(f"{cpu()}, nginx on loopback, {limit}, n = {arguments.rounds}\n")
    print("| what | seconds, median | min–max | bytes | of the plain file's seconds |\n|---|---:|---:|---:|---:|")
    for i, (what, _, size) in enumerate(rounds[0]):
        seconds = [rows[i][1] for rows in rounds]
        share = statistics.median(rows[i][1] / rows[-1][1] for rows in rounds)
        span = f"{min(seconds):.4f}–{max(seconds):.4f}"
        share_text = f"{share:.3f}" if what.startswith(("tensor", "file")) else ""
        print(f"| {what} | {statistics.median(seconds):.4f} | {span} | {size:,} | {share_text} |")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        found = {"cpu": cpu(), "rate": arguments.rate, "rounds": rounds}
        arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
