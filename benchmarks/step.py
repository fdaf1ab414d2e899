"""What a training step of a preset's fine-tuning costs on a CPU core, and what each decision about it is worth.

Usage: python benchmarks/step.py [--preset nano] [--rounds 5] [--out FILE.json]
       python benchmarks/step.py [--preset nano] --profile     shares of the step as shipped, by operation

Every variant is a process of its own with one thread, run in turn for several rounds, so that noise of the machine
hits all alike; the table gives trained images per second and core (median, min–max) and the median of the ratios to
what ships, round by round. The peer is the loop people write: one timm model, torch.optim, float32, eager, same batch,
augmentation included. populations.py compares whole systems, end to end.
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
PRESETS = {"nano": 30, "tiny-cifar": 1}  # members of a stack by the usual rule
VARIANTS = {
    "as shipped": "the usual stack, bf16, our kernels",
    "torch kernels": "blocks by torch's operations",
    "one member": "a stack of 1",
    "four times": "a stack four times as large",
    "float32": "our kernels in float32",
    "memory given back": "glibc's defaults instead of keeping freed memory",
    "garbage looked at": "imported libraries left to the garbage collector's rounds",
    "timm loop": "peer: one timm model at a time, torch.optim.AdamW, float32, eager",
}


def recipe_of(preset: str):
    """Return the first fine-tuning recipe of a preset."""
    from vitzoo.blueprint import expand, load

    return expand(load(preset))[1][0]


def population(preset: str, size: int, precision: str, kernels: str):
    """Build a stack of ``size`` like members on random images."""
    from vitzoo.growing.calibrate import noise
    from vitzoo.growing.computing import compute_of
    from vitzoo.growing.execution import Execution
    from vitzoo.training.loop import Population

    recipe = recipe_of(preset)
    split = noise(recipe, 8 * recipe.hyperparameters.batch_size, "cpu")
    execution = Execution(device="cpu", precision=precision, tokens=1, kernels=kernels)
    return Population([recipe] * size, split, split, classes(recipe), compute_of(recipe, execution))


def classes(recipe) -> int:
    """Return the number of classes."""
    return recipe.architecture.head.outputs


def ours(preset: str, size: int, precision: str = "bf16", kernels: str = "native") -> float:
    """Return trained images per second of our loop."""
    stack, step = training(preset, size, precision, kernels)
    return rate(step, stack.shared.hyperparameters.batch_size * size)


def training(preset: str, size: int, precision: str = "bf16", kernels: str = "native"):
    """Return a population, and a function that makes a step of its training."""
    import numpy as np

    from vitzoo.training import loop
    from vitzoo.training.start import from_scratch

    stack = population(preset, size, precision, kernels)
    run = loop._Loop(stack, loop.begin(stack, [from_scratch(recipe) for recipe in stack.recipes]), lambda share: None)
    run.state.epoch = 1
    batch = stack.shared.hyperparameters.batch_size
    indices = np.arange(batch * len(run.seeds))
    return stack, lambda: run.step(0, indices)


def profile(preset: str) -> None:
    """Print which operations a step as shipped spends its time in, on one thread."""
    import torch

    from vitzoo.growing.memory import keep_freed_memory, leave_what_stays

    torch.set_num_threads(1)
    keep_freed_memory()
    leave_what_stays()
    _, step = training(preset, PRESETS[preset])
    rate(step, 1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
        rate(step, 1)
    rows = found.key_averages()
    whole = sum(row.self_cpu_time_total for row in rows)
    print(f"{SECONDS:g} s, one thread, {cpu()}\n\n| operation | share of the time, % | calls |\n|---|---:|---:|")
    for row in sorted(rows, key=lambda row: -row.self_cpu_time_total)[:14]:
        print(f"| `{row.key}` | {100 * row.self_cpu_time_total / whole:.1f} | {row.count} |")


def peer(preset: str) -> float:
    """Return trained images per second of a plain loop over one timm model."""
    import numpy as np
    import torch

    from vitzoo.data.pipeline import Pipeline
    from vitzoo.model.timm_names import create, describe
    from vitzoo.training.start import from_scratch

    stack = population(preset, 1, "float32", "torch")
    recipe, batch_size = stack.shared, stack.shared.hyperparameters.batch_size
    model = create(describe(recipe.architecture, recipe.dataset), from_scratch(recipe)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    side = recipe.architecture.image_size
    pipeline = Pipeline(recipe.augmentation, recipe.hyperparameters, recipe.dataset, side, classes(recipe))

    def step() -> None:
        batch = pipeline.train_batch(*stack.train.gather(np.arange(batch_size)), (0, 0, 0))
        loss = torch.nn.functional.cross_entropy(model(batch.images), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return rate(step, batch_size)


def rate(step, images: int) -> float:
    """Warm up, then count steps for a few seconds."""
    for _ in range(3):
        step()
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        step()
        done += 1
    return done * images / (time.perf_counter() - begun)


def measure(variant: str, preset: str) -> float:
    """Measure one variant in this process."""
    import torch

    from vitzoo.growing.memory import keep_freed_memory, leave_what_stays

    torch.set_num_threads(1)
    if variant not in ("memory given back", "timm loop"):
        keep_freed_memory()
    if variant not in ("garbage looked at", "timm loop"):
        recipe_of(preset)
        leave_what_stays()
    if variant == "timm loop":
        return peer(preset)
    usual = PRESETS[preset]
    size = {"one member": 1, "four times": 4 * usual}.get(variant, usual)
    precision = "float32" if variant == "float32" else "bf16"
    return ours(preset, size, precision, "torch" if variant == "torch kernels" else "native")


def main() -> None:
    """Run all variants in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--preset", choices=PRESETS, default="nano")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.profile:
        profile(arguments.preset)
        return
    if arguments.variant:
        print(measure(arguments.variant, arguments.preset))
        return
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for done in range(arguments.rounds):
        for name in VARIANTS:
            print(f"round {done + 1} of {arguments.rounds}: {name}", file=sys.stderr)
            command = [sys.executable, __file__, "--preset", arguments.preset, "--variant", name]
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
