"""What a training step of nano's fine-tuning costs, and what each decision about it is worth.

Usage: python benchmarks/step.py [--rounds 5] [--out FILE.json]

Every variant is a process of its own with one thread, run in turn for several rounds, so that noise of the machine
hits all alike; the table gives trained images per second and core (median, min–max) and the median of the ratios to
what ships, round by round. The peer is the loop people write: one timm model, torch.optim, float32, eager, same batch,
augmentation included.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 4.0
VARIANTS = {
    "as shipped": "stack of 30, bf16, explicit attention, float32 softmax, freed memory kept",
    "one member": "the same with a stack of 1",
    "float32": "stack of 30 in float32",
    "bf16 softmax": "softmax in bf16",
    "fused attention": "scaled_dot_product_attention on the CPU",
    "memory given back": "glibc's defaults instead of keeping freed memory",
    "timm loop": "peer: one timm model at a time, torch.optim.AdamW, float32, eager",
}


def population(size: int, precision: str):
    """Build nano's first fine-tuning population, cut to ``size`` members, on random digits-sized data."""
    import numpy as np

    from vitzoo.blueprint import expand, load
    from vitzoo.data.device import DeviceSplit
    from vitzoo.growing.plan import populations
    from vitzoo.training.compute import Compute
    from vitzoo.training.loop import Population

    recipes = populations(expand(load("nano"))[1], lambda recipe: size)[0].members
    x = np.random.default_rng(0).integers(0, 256, (1437, 16, 16, 3), np.uint8)
    split = DeviceSplit(x, np.arange(1437) % 10, "cpu")
    return Population(recipes, split, split, 10, Compute("cpu", precision))


def ours(size: int, precision: str) -> float:
    """Return trained images per second of our loop."""
    import numpy as np

    from vitzoo.training import loop
    from vitzoo.training.start import from_scratch

    stack = population(size, precision)
    run = loop._Loop(stack, loop.begin(stack, [from_scratch(recipe) for recipe in stack.recipes]), lambda share: None)
    run.state.epoch = 1
    indices = np.arange(16 * len(run.seeds))
    return rate(lambda: run.step(0, indices), 16 * size)


def peer() -> float:
    """Return trained images per second of a plain loop over one timm model."""
    import numpy as np
    import torch

    from vitzoo.data.pipeline import Pipeline
    from vitzoo.model.timm_names import create, describe
    from vitzoo.training.start import from_scratch

    stack = population(1, "float32")
    recipe = stack.shared
    model = create(describe(recipe.architecture, recipe.dataset), from_scratch(recipe)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    pipeline = Pipeline(recipe.augmentation, recipe.hyperparameters, recipe.dataset, 16, 10)

    def step() -> None:
        batch = pipeline.train_batch(*stack.train.gather(np.arange(16)), (0, 0, 0))
        loss = torch.nn.functional.cross_entropy(model(batch.images), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return rate(step, 16)


def rate(step, images: int) -> float:
    """Warm up, then count steps for a few seconds."""
    for _ in range(3):
        step()
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        step()
        done += 1
    return done * images / (time.perf_counter() - begun)


def measure(variant: str) -> float:
    """Measure one variant in this process."""
    import torch

    from vitzoo.growing.memory import keep_freed_memory
    from vitzoo.model import vit

    torch.set_num_threads(1)
    if variant not in ("memory given back", "timm loop"):
        keep_freed_memory()
    if variant == "bf16 softmax":
        vit.attend = _bf16_softmax  # type: ignore[assignment]
    if variant == "fused attention":
        vit.attend = _fused  # type: ignore[assignment]
    if variant == "timm loop":
        return peer()
    return ours(1 if variant == "one member" else 30, "float32" if variant == "float32" else "bf16")


def _bf16_softmax(qkv):
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return ((q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(-1) @ v).transpose(1, 2)


def _fused(qkv):
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4).unbind(0)).transpose(1, 2)


def main() -> None:
    """Run all variants in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.variant:
        print(measure(arguments.variant))
        return
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for done in range(arguments.rounds):
        for name in VARIANTS:
            print(f"round {done + 1} of {arguments.rounds}: {name}", file=sys.stderr)
            command = [sys.executable, __file__, "--variant", name]
            rates[name].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    report(rates, arguments.out)


def report(rates: dict[str, list[float]], out: Path | None) -> None:
    """Print the table as markdown and write the numbers."""
    base = rates["as shipped"]
    print(f"n = {len(base)} rounds, {SECONDS:g} s each, one thread, {cpu()}\n")
    print("| variant | what | images/s per core | of what ships |\n|---|---|---|---|")
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, base, strict=True))
        spread = f"{statistics.median(found):,.0f} ({min(found):,.0f}–{max(found):,.0f})"
        print(f"| {name} | {VARIANTS[name]} | {spread} | {ratio:.2f} |")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"cpu": cpu(), "python": platform.python_version(), "rates": rates}, indent=2) + "\n")


def cpu() -> str:
    """Name this machine's processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    bf16 = " with AVX-512 BF16" if "avx512_bf16" in " ".join(lines) else ""
    return f"{sum(line.startswith('processor') for line in lines)}-core {name}{bf16}"


if __name__ == "__main__":
    main()
