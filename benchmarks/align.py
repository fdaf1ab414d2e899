"""How long aligning takes: two ViT-S/16 by 500 images of 224 pixels, and two of nano's models, with peak memory.

Usage: python benchmarks/align.py [--rounds 3] [--images 500] [--out FILE.json]

Models and images are drawn at random, since the work does not depend on what is in them. Each round runs in processes
of their own: the alignment by activations from raw tensors to the aligned average (`procrustes`), all cores. Beside it,
the time of the same two models' plain forward passes on the same images by timm, which no method that looks at
activations can do without.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from step import cpu

from vitzoo.blueprint.schema import Backbone, Dataset, Head
from vitzoo.merging.across.evidence import gather
from vitzoo.merging.across.procrustes import align
from vitzoo.merging.across.products import mean
from vitzoo.merging.symmetry.balance import balance, canonical
from vitzoo.model.shapes import parameter_shapes
from vitzoo.model.timm_names import create, describe

HEAD = Head(kind="linear", hidden=None, outputs=100)
SHAPES = {
    "ViT-S/16": Backbone(
        image_size=224, patch_size=16, dim=384, depth=12, heads=6, mlp_ratio=4, init="timm", head=HEAD
    ),
    "nano": Backbone(image_size=16, patch_size=4, dim=64, depth=2, heads=4, mlp_ratio=2, init="timm", head=HEAD),
}


def drawn(arch: Backbone, seed: int) -> dict[str, torch.Tensor]:
    """Draw a model."""
    random = torch.Generator().manual_seed(seed)
    shapes = parameter_shapes(arch)
    found = {name: torch.randn(shape, generator=random) * shape[-1] ** -0.5 for name, shape in shapes.items()}
    return found | {name: 1 + 0.1 * found[name] for name in found if "norm" in name and name.endswith("weight")}


def one(shape: str, images: int) -> dict[str, float]:
    """Align once, in this process."""
    arch = SHAPES[shape]
    models = [drawn(arch, seed) for seed in (1, 2)]
    pictures = torch.randn(images, 3, arch.image_size, arch.image_size, generator=torch.Generator().manual_seed(3))
    begun = time.perf_counter()
    ready = [
        balance(canonical({name: tensor.double() for name, tensor in model.items()}), arch.heads) for model in models
    ]
    first, second = ({name: tensor.float() for name, tensor in model.items()} for model in ready)
    (evidence,) = gather(first, [second], [pictures], arch.heads)
    seen = time.perf_counter()
    found = align(*ready, evidence, arch.heads)
    _ = mean([ready[0], found.apply(ready[1])], arch.heads)
    done = time.perf_counter()
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    plain = [create(describe(arch, Dataset(source="digits")), model).eval() for model in models]
    started = time.perf_counter()
    with torch.no_grad():
        for model in plain:
            for part in pictures.split(32):
                model(part)
    return {
        "seconds": done - begun,
        "activations_s": seen - begun,
        "timm_forward_s": time.perf_counter() - started,
        "resident_gb": int(peak.split()[1]) * 1024 / 1e9,
    }


def main() -> None:
    """Read the arguments, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one, arguments.images)))
        return
    rounds = []
    for _ in range(arguments.rounds):
        for shape in SHAPES:
            command = [sys.executable, __file__, "--one", shape, "--images", str(arguments.images)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rounds.append({"shape": shape, **found})
            print(rounds[-1], file=sys.stderr)
    for shape in SHAPES:
        own = [each for each in rounds if each["shape"] == shape]
        for name in ("seconds", "activations_s", "timm_forward_s", "resident_gb"):
            values = [each[name] for each in own]
            print(
                f"{shape} {name}: {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f}), n={len(own)}"
            )
    if arguments.out:
        facts = {"cpu": cpu(), "python": platform.python_version(), "torch": torch.__version__}
        arguments.out.write_text(json.dumps(facts | {"images": arguments.images, "rounds": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
