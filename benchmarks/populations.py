"""How fast populations are grown: vitzoo beside other ways to do it, in the same run.

Usage: python benchmarks/populations.py [--out FILE.json] [--rounds 5] [--systems ours,p0,p1,p2,p5,p5-split] …
       python benchmarks/populations.py --table FILE.json …
       python benchmarks/populations.py --by-members FILE.json …

Every system grows the same little zoo, ``--members`` models with ``--epochs`` epochs of ``--images`` images, in
processes of its own, in turn for several rounds, so that noise of the machine hits all alike; ratios are taken round
by round. On a CPU a peer runs one process with one thread for each model, as many at once as there are cores.
Augmentation, logging and a checkpoint every epoch are inside the rate; evaluation is outside it for all, because we
evaluate more than the peers; time to the little zoo has all in it. Caches are filled by one run before the rounds,
whose start and warm-up are reported as cold. peers/ has the systems, peers/summary.py the definitions.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from pack_mosaic import read
from peers import hardware, launch
from peers.summary import plain
from peers.systems import SYSTEMS, Machine, cores
from peers.table import by_members, table
from peers.workload import ARCHITECTURES, Workload

COMPARED = ("ours", "p0", "p1", "p2", "p5", "p5-split")
COMPILED = ("ours", "p2")  # systems that keep something between runs which the first run has to make


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--table", nargs="+", type=Path, metavar="FILE", help="print the tables of these files and measure nothing")
    add("--by-members", nargs="+", type=Path, metavar="FILE", help="one table of these files, a line for each size")
    add("--out", type=Path, help="where results are written, after every run")
    add("--systems", default=",".join(COMPARED), help=f"of {', '.join(SYSTEMS)}")
    add("--rounds", type=int, default=5)
    add("--arch", choices=ARCHITECTURES, default="small")
    add("--members", type=int, default=4)
    add("--epochs", type=int, default=2, help="at least 2: the first one is the warm-up")
    add("--images", type=int, default=1280, help="training images of an epoch")
    add("--batch", type=int, default=128)
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--at-once", type=int, default=1, help="processes of P0, P1 and P2 that share a GPU")
    add("--k", type=int, help="most members of one vmap; default: all")
    add("--data", type=Path, help="images to use: an .npz file or a mosaic zip; default: noise")
    add("--seconds", type=float, default=float("inf"), help="time for everything; what runs then has failed")
    add("--no-cold", action="store_true", help="begin with the rounds; the first one then has the cold warm-ups")
    add("--limit", type=float, default=600.0, help="seconds after which one run counts as failed")
    found = parser.parse_args()
    unknown = [name for name in found.systems.split(",") if name not in SYSTEMS]
    if unknown:
        parser.error(f"there is no system {', '.join(unknown)}; known are {', '.join(SYSTEMS)}")
    if found.epochs < 2 or found.images < found.batch or found.batch % 2:
        parser.error(
            "it takes 2 epochs or more, a batch of images or more, and an even batch (images are mixed in pairs)"
        )
    return found


def noise(n: int, side: int, classes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return random images uint8 [n, side, side, 3] and labels."""
    return rng.integers(0, 256, (n, side, side, 3), np.uint8), rng.integers(0, classes, n)


def make_data(asked: argparse.Namespace, folder: Path) -> Path:
    """Write the images as every system will read them; the test split is a fifth of the training split."""
    arch, test = ARCHITECTURES[asked.arch], max(asked.batch, asked.images // 5)
    if asked.data is None:
        rng, side = np.random.default_rng(0), arch.shape.image_size
        (x, y), (xt, yt) = (noise(n, side, arch.classes, rng) for n in (asked.images, test))
    elif asked.data.suffix == ".zip":
        (x, y), (xt, yt) = read([asked.data], ("train",)), read([asked.data], ("test", "val"))
    else:
        with np.load(asked.data) as file:
            x, y, xt, yt = (file[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    if asked.data is not None:  # sorted by class
        chosen, tested = (np.random.default_rng(0).permutation(len(labels)) for labels in (y, yt))
        x, y, xt, yt = x[chosen[: asked.images]], y[chosen[: asked.images]], xt[tested[:test]], yt[tested[:test]]
    if len(x) < asked.images:
        raise SystemExit(f"{asked.data} has {len(x)} training images; ask for at most that many with --images.")
    path = folder / "images.npz"
    np.savez(path, x_train=x, y_train=y, x_test=xt, y_test=yt)
    return path


def attempt(name: str, w: Workload, folder: Path, machine: Machine, limit: float) -> dict[str, Any]:
    """Run a system in a new folder and remove what it made; a failure is a result, too."""
    try:
        result = plain(launch.run(name, w, folder, machine, limit))
        print(f"{name}: {result['rate']:,.0f} model-images/s, zoo in {result['zoo']:.1f} s", file=sys.stderr)
    except launch.Failed as error:
        result = {"error": str(error)}
        print(f"{name} failed: {error}", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def measure(asked: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Run all systems in turn and return the results, which are also written after every run."""
    begun, systems = time.monotonic(), asked.systems.split(",")
    w = Workload(
        asked.arch, asked.members, asked.epochs, asked.images, asked.batch, asked.device, str(make_data(asked, place))
    )
    machine = Machine(cores(), asked.at_once, asked.k)
    results: dict[str, Any] = {
        "command": sys.argv,
        "hardware": hardware.describe(asked.device),
        "versions": hardware.versions(),
        "workload": asdict(w) | {"data": str(asked.data.name if asked.data else "noise")},
        "machine": asdict(machine),
        "cold": {},
        "rounds": [],
    }
    first = [name for name in COMPILED if name in systems]
    for number in range(0 if asked.no_cold else -1, asked.rounds):
        into = results["cold"]
        if number >= 0:
            results["rounds"].append(into := {})
        for name in systems if number >= 0 else first:
            left = begun + asked.seconds - time.monotonic()
            if left < 0:
                return results
            into[name] = attempt(name, w, place / "run", machine, min(asked.limit, left))
            write(results, asked.out)
    return results


def write(results: dict[str, Any], out: Path | None) -> None:
    """Write the results if a place was named."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(results, indent=2) + "\n")


def main() -> None:
    """Measure and print the table, or print tables."""
    asked = arguments()
    files = [json.loads(path.read_text()) for path in asked.table or asked.by_members or []]
    if files:
        print(by_members(files) if asked.by_members else "\n\n".join(map(table, files)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes are ended and the folder removed
    with tempfile.TemporaryDirectory() as folder, hardware.caches_in(Path(folder) / "caches"):
        print(table(measure(asked, Path(folder))))


if __name__ == "__main__":
    main()
