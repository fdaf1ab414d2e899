"""Importing the published layout: bytes a second and core, beside what people write and beside copying the files.

Usage: python benchmarks/importing.py [--rounds 5] [--checkpoints 24] [--place DIR] [--out FILE.json]

The tree is made on the spot: ViT-S/16 with 100 classes, 86.9 MB a checkpoint, two backbones and two children, pickled
by torch as the published zoo's are. In every round, in turn, each into a new place:

* vitzoo: `vitzoo import` of all of it: pickles read in processes that can do nothing else, both digests, lineage held
  against weights, everything synced to disk and committed (with all cores, and with one worker);
* loop: `torch.load(weights_only=True)`, prefixes removed, `safetensors.torch.save_file`; no digests, no sync;
* copy: `shutil.copyfile` of the same files; no digests; each synced to disk, as the import does it, and not.

Files are in the page cache. Synced copying is the disk's rate; with `--place /dev/shm` there is no disk, and rates a
core are those of the work itself. Wall seconds include starting the processes. Processor seconds are those of all
processes, and MB/s a core is bytes read over them: what a core would do if the disk did not hold it up.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from step import cpu

CHILDREN = 2


def make_tree(root: Path, checkpoints: int) -> int:
    """Write the tree; return the bytes of its weights."""
    import torch

    from vitzoo.blueprint.schema import Backbone, Head
    from vitzoo.model.shapes import parameter_shapes

    arch = Backbone(image_size=224, patch_size=16, dim=384, depth=12, heads=6, head=Head(outputs=100))
    base = {"seed": 42, "model::type": "vit_s_16", "dataset::name": "CIFAR100", "optim::optimizer": "adamw"}
    base |= {"optim::lr": 1e-3, "optim::wd": 0, "optim::momentum": 0, "optim::scheduler": None}
    base |= {"training::batchsize": 256, "training::epochs_train": 90, "training::loss": "stce"}
    each, size = checkpoints // (2 + CHILDREN), 0
    for number in range(2 + CHILDREN):
        child = number >= 2
        place = root / (f"finetuning/p{number % 2}/c{number}" if child else f"pretraining/p{number}")
        place.mkdir(parents=True)
        config = base | {"seed": number} | ({"pretraining::model": f"p{number % 2}"} if child else {})
        (place / "config.json").write_text(json.dumps(config))
        torch.manual_seed(number % 2)  # a child lies near its parent
        start = {f"vit.{name}": torch.randn(shape) * 0.02 for name, shape in parameter_shapes(arch).items()}
        for epoch in range(each):
            folder = place / f"checkpoint_{epoch:06d}"
            folder.mkdir()
            torch.save(
                {name: tensor + 1e-4 * (epoch + number) for name, tensor in start.items()}, folder / "checkpoints"
            )
            size += (folder / "checkpoints").stat().st_size
        lines = [{"test_acc": 0.1, "train_acc": 0.2, "training_iteration": epoch + 1} for epoch in range(each)]
        (place / "result.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return size


def ours(root: Path, target: Path, *options: str) -> None:
    """Import by the command, as a user would."""
    command = [sys.executable, "-m", "vitzoo", "import", str(root), "--zoo", str(target), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


LOOP = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
torch.set_num_threads(1)
root, target = map(Path, sys.argv[1:])
for file in root.rglob("checkpoints"):
    state = torch.load(file, map_location="cpu", weights_only=True)
    out = target / file.parent.relative_to(root)
    out.mkdir(parents=True)
    save_file({name.removeprefix("vit."): tensor for name, tensor in state.items()}, out / "model.safetensors")
"""


def loop(root: Path, target: Path) -> None:
    """Convert as people do, in one process."""
    subprocess.run([sys.executable, "-c", LOOP, str(root), str(target)], check=True)


def copy(root: Path, target: Path, sync: bool = True) -> None:
    """Copy the files of weights, each synced or not."""
    for file in root.rglob("checkpoints"):
        out = target / file.parent.relative_to(root)
        out.mkdir(parents=True)
        shutil.copyfile(file, out / "checkpoints")
        if sync:
            with (out / "checkpoints").open("rb") as copied:
                os.fsync(copied)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "vitzoo import": ours,
    "vitzoo import --workers 1": lambda root, target: ours(root, target, "--workers", "1"),
    "loop of torch.load and save_file": loop,
    "copy, not synced": lambda root, target: copy(root, target, sync=False),
    "copy": copy,
}


def timed(way: Callable[[Path, Path], None], root: Path, target: Path) -> tuple[float, float]:
    """Return wall seconds and processor seconds of this and all child processes."""
    os.sync()  # what the way before left to be written is not this one's
    begun, used = time.perf_counter(), _processor()
    way(root, target)
    wall, processor = time.perf_counter() - begun, _processor() - used
    shutil.rmtree(target)
    return wall, processor


def _processor() -> float:
    use = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in use)


def main() -> None:
    """Measure, print the table, write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--checkpoints", type=int, default=24)
    parser.add_argument("--place", type=Path, help="where to work; default: the system's temporary folder")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory(dir=arguments.place) as folder:
        root = Path(folder) / "tree"
        size = make_tree(root, arguments.checkpoints)
        for number in range(arguments.rounds):
            for name, way in WAYS.items():
                times[name].append(timed(way, root, Path(folder) / "out"))
                print(f"round {number + 1}, {name}: {size / 1e6 / times[name][-1][0]:.0f} MB/s", file=sys.stderr)
    print(f"{cpu()}, {arguments.checkpoints} checkpoints, {size / 1e9:.2f} GB, n = {arguments.rounds}\n")
    print("| | MB/s, wall | MB/s a core | time, relative to synced copying |\n|---|---:|---:|---:|")
    for name, found in times.items():
        rates = [[size / 1e6 / seconds for seconds in column] for column in zip(*found, strict=True)]
        ratios = [own[0] / other[0] for own, other in zip(found, times["copy"], strict=True)]
        print(f"| {name} | {spread(rates[0], 0)} | {spread(rates[1], 0)} | {spread(ratios, 1)} |")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps({"cpu": cpu(), "bytes": size, "seconds": times}, indent=1) + "\n")


def spread(values: list[float], digits: int) -> str:
    """Write a median with least and greatest."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
