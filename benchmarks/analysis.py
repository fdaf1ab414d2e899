"""How long the analysis of a zoo takes: measure, tables, findings and report, each a process, from nothing measured.

Usage: python benchmarks/analysis.py ZOO [--rounds 3] [--out FILE.json]

Before every round the zoo's measures are removed, so everything is computed; a second `measure` then shows what the
cache saves. Also timed: agreement and κ of 250 members on 10,000 images with 100 classes.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from speed import timed
from step import cpu

from vitzoo.measures.agreement import agreement

REFINED = ("--refine", "test_acc > 0.65")


def commands(zoo: Path, out: Path) -> dict[str, list[str]]:
    """What is timed, in this order."""
    return {
        "measure": ["measure", str(zoo)],
        "measure, again": ["measure", str(zoo)],
        "tables": ["tables", str(zoo), *REFINED],
        "findings": ["findings", str(zoo)],
        "report": ["report", str(zoo), "--out", str(out), *REFINED],
    }


def agreement_seconds() -> float:
    """Time the full matrices of agreement and κ."""
    predictions = np.random.default_rng(0).integers(0, 100, (250, 10_000)).astype(np.uint8)
    begun = time.perf_counter()
    agreement(predictions, 100)
    return time.perf_counter() - begun


def main() -> None:
    """Read the arguments, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        shutil.rmtree(arguments.zoo / "measures", ignore_errors=True)
        with tempfile.TemporaryDirectory() as out:
            for name, words in commands(arguments.zoo, Path(out)).items():
                seconds.setdefault(name, []).append(timed(words))
        seconds.setdefault("agreement of 250 × 10,000", []).append(agreement_seconds())
    wanted = ("measure", "tables", "report")
    seconds["measure + tables + report"] = [sum(parts) for parts in zip(*(seconds[n] for n in wanted), strict=True)]
    print("| what | seconds |\n|---|---|")
    for name, times in seconds.items():
        print(f"| {name} | {statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f}) |")
    print(f"\nmedian (range) of {arguments.rounds} rounds, {cpu()}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"cpu": cpu(), "seconds": seconds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
