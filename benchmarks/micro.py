"""What micro-batches cost or save on a CPU core: the same step, cut so that a pass has at most so many tokens.

Usage: python benchmarks/micro.py [--preset nano] [--members 30] [--rounds 7] [--out FILE.json]

One process and one thread; every round measures all sizes in turn for a second each, so that noise of the machine hits
all alike. The table gives trained images per CPU second (median, min–max) and the median of the ratios to one pass of
the whole step, round by round. Memory is the most that two steps take in a process of their own, beyond what it had.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from step import cpu, population

SIZES = (None, 16384, 8192, 4096, 2048, 1024, 512)
SECONDS = 1.0


def stepper(preset: str, members: int, micro: int | None):
    """Return a function that makes one training step, and how many images of members that is."""
    import numpy as np

    from vitzoo.training import loop
    from vitzoo.training.start import from_scratch

    stack = population(preset, members, "bf16", "native")
    stack = replace(stack, compute=replace(stack.compute, micro=micro))
    run = loop._Loop(stack, loop.begin(stack, [from_scratch(recipe) for recipe in stack.recipes]), lambda share: None)
    run.state.epoch = 1
    batch = stack.shared.hyperparameters.batch_size
    return lambda: run.step(0, np.arange(batch * len(run.seeds))), batch * members


def rate(step, images: int) -> float:
    """Return images per CPU second over about a second."""
    step()
    done, begun = 0, time.process_time()
    while time.process_time() - begun < SECONDS:
        step()
        done += 1
    return done * images / (time.process_time() - begun)


def peak(preset: str, members: int, micro: int | None) -> int:
    """Return how many bytes two steps take at most, beyond what this process has before."""
    step, _ = stepper(preset, members, micro)
    Path("/proc/self/clear_refs").write_text("5")  # the most begins anew with what there is
    before = memory("VmRSS")
    step()
    step()
    return memory("VmHWM") - before


def memory(field: str) -> int:
    """Return a size that the kernel tells of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peaks(preset: str, members: int) -> dict[int | None, int]:
    """Return the memory of a step for every size, each measured in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, torch.set_num_threads, (1,), max_tasks_per_child=1) as pool:
        return {size: pool.submit(peak, preset, members, size).result() for size in SIZES}


def main() -> None:
    """Measure all sizes in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--members", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    steps = {size: stepper(arguments.preset, arguments.members, size) for size in SIZES}
    most = peaks(arguments.preset, arguments.members)
    rates: dict[int | None, list[float]] = {size: [] for size in SIZES}
    for done in range(arguments.rounds):
        print(f"round {done + 1} of {arguments.rounds}", file=sys.stderr)
        for size, (step, images) in steps.items():
            rates[size].append(rate(step, images))
    print(f"{arguments.preset}, {arguments.members} members, n = {arguments.rounds} rounds of {SECONDS:g} s, {cpu()}\n")
    print("| tokens of a pass | images per CPU second | of one pass | memory, MB |\n|---|---|---|---|")
    for size, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, rates[None], strict=True))
        spread = f"{statistics.median(found):,.0f} ({min(found):,.0f}–{max(found):,.0f})"
        print(f"| {'all' if size is None else f'{size:,}'} | {spread} | {ratio:.2f} | {most[size] / 1e6:,.0f} |")
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"micro": size, "rates": found, "memory": most[size]} for size, found in rates.items()]
        about = {"cpu": cpu(), "torch": torch.__version__, "preset": arguments.preset, "members": arguments.members}
        arguments.out.write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
