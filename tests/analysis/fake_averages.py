"""Fake studies of averages for tests: numbers made by formulas with planted effects, no training, no disk.

Planted: averages over epochs gain half of the gap over the best and 3 pp over the mean; they lose 2 pp at the first
epoch and gain 1 pp at the last; half of the seed soups gain, no other soup does.
"""

from itertools import product

import numpy as np
import pandas as pd

from vitzoo.merging.study.averages import Averages

EPOCHS, LAST = 6, 3
FACTORS = {"optimizer": ("adamw", "sgd"), "lr": (1e-3, 1e-4), "seed": (1, 2)}


def make_averages(backbones: int = 5, effect: float = 1.0, noise: float = 0.001) -> Averages:
    """Some backbones with eight children each; ``effect`` scales everything planted, -1 turns it round."""
    random = np.random.default_rng(0)
    members, windows, soups = [], [], []
    for backbone, *cell in product(range(backbones), *FACTORS.values()):
        row = dict(zip(FACTORS, cell, strict=True)) | {"parent_member": f"parent-{backbone}", "head": "linear"}
        row["member"] = f"{backbone}-{'-'.join(map(str, cell))}"
        gap = 0.02 * random.random() + 0.01
        best = 0.7 + 0.1 * random.random()
        average = best + effect * (gap / 2) + noise * random.standard_normal()
        mean = average - effect * 0.03 + noise * random.standard_normal()
        scores = {"average": average, "average_loss": 1.0, "best": best, "mean": mean, "final": best}
        members.append({**row, **scores, "gap": gap})
        windows += _course(row, best, effect, noise * random.standard_normal())
    for backbone, (factor, levels), number in product(range(backbones), FACTORS.items(), range(4)):
        gain = effect * (0.02 if factor == "seed" and number % 2 else -0.02) + noise * random.standard_normal()
        names = tuple(f"{backbone}-{factor}-{number}-{level}" for level in levels)
        scores = {"average": 0.7 + gain, "average_loss": 1.0, "best": 0.7, "mean": 0.68}
        soups.append(
            {"factor": factor, "levels": levels, "members": names, "parent_member": f"parent-{backbone}", **scores}
        )
    return Averages("fake", LAST, *map(pd.DataFrame, (members, soups, windows)))


def _course(row: dict, best: float, effect: float, noise: float) -> list[dict]:
    found = []
    for epoch in range(1, EPOCHS + 1):
        plain = best * epoch / EPOCHS
        gain = effect * (-0.02 + 0.03 * (epoch - LAST) / (EPOCHS - LAST)) + noise
        average = plain + gain if epoch >= LAST else float("nan")
        names = {"member": row["member"], "parent_member": row["parent_member"]}
        found.append({**names, "epoch": epoch, "plain": plain, "average": average})
    return found
