"""Fake measurements for tests: numbers made by formulas with planted effects, no training, no disk.

Planted: supervised backbones give higher accuracy and a smaller gap; AdamW moves a hundred times as far as SGD and is
more accurate; distance and gap grow with the learning rate; head and seed do nothing but noise.
"""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from vitzoo.measures.measurements import Measurements
from vitzoo.measures.selection import LeftOut

BACKBONES = (
    *(("supervised", 42, 32), ("supervised", 6312, 32), ("supervised", 6312, 64), ("supervised", 1957, 64)),
    *(("contrastive", 42, 96), ("contrastive", 2517, 128)),
)
GRID = (("linear", "mlp"), ("adamw", "sgd"), (3e-3, 1e-3, 1e-4), (42, 6312))
WIDTH = 400  # of the vectors that distances are computed from


def make_measurements(grid: tuple[tuple, ...] = GRID, noise: float = 0.004) -> Measurements:
    """Six backbones, each with the paper's 24 fine-tunes: 150 members, with matrices that agree with the rows."""
    random = np.random.default_rng(0)
    rows, vectors = [], []
    for task, seed, batch in BACKBONES:
        row, vector = _backbone(random, task, seed, batch, noise)
        rows.append(row)
        vectors.append(vector)
    for (parent, vector), cell in product(list(zip(rows, vectors, strict=True)), product(*grid)):
        row, move = _child(random, parent, *cell, noise)
        rows.append(row)
        vectors.append(vector + move)
    members = pd.DataFrame(rows)
    members["is_last"], members["status"], members["epoch"] = True, "finished", 5
    flat = np.stack(vectors)
    distances = np.sqrt(((flat[:, None] - flat[None]) ** 2).sum(-1))
    agreement = _agreement(random, members)
    left_out = (LeftOut("ft_linear_seed7-00000000", "its training diverged after epoch 2 of 5"),)
    return Measurements("fake", members, distances, agreement, (agreement - 0.1) / 0.9, "all", left_out)


def _backbone(random: Any, task: str, seed: int, batch: int, noise: float) -> tuple[dict[str, Any], np.ndarray]:
    contrastive = task == "contrastive"
    vector = random.standard_normal(WIDTH) * (2.5 if contrastive else 1.6)
    row = {
        "stage": "pretraining",
        "member": f"{task}-{seed}-{batch}",
        "sha256": f"{seed * 1000 + batch:064x}",
        "dataset": "fractals",
        "task": task,
        "seed": seed,
        "batch_size": batch,
        "optimizer": "adamw",
        "lr": 1e-3,
        "weight_decay": 1e-4,
        "epochs": 5,
        "head": "linear",
        "test_acc": (0.9 if contrastive else 0.7) + noise * random.standard_normal(),
        "test_loss": (0.5 if contrastive else 1.4) + noise * random.standard_normal(),
        **_statistics(vector, contrastive),
    }
    gap = 0.01 + noise * random.standard_normal()
    return row | {"gap": gap, "gap_online": gap - 0.05, "l2_distance": float("nan")}, vector


def _child(random: Any, parent: dict[str, Any], head: str, optimizer: str, lr: float, seed: int, noise: float) -> tuple:
    contrastive = parent["task"] == "contrastive"
    step = np.log10(lr / 1e-4) / np.log10(30)  # 0 at 1e-4, 1 at 3e-3
    length = (4.0 + 6.0 * step) * (1.5 if contrastive else 1.0) * (1.0 if optimizer == "adamw" else 0.01)
    move = random.standard_normal(WIDTH)
    move *= length / np.linalg.norm(move)
    accuracy = 0.8 - 0.06 * contrastive - 0.15 * (optimizer == "sgd") + 0.03 * step
    accuracy += noise * random.standard_normal()
    gap = 0.02 + 0.05 * step + 0.03 * contrastive + noise * random.standard_normal()
    row = {
        "stage": "finetuning",
        "member": f"{parent['member']}-{head}-{optimizer}-{lr:g}-{seed}",
        "sha256": f"{random.integers(1 << 62):064x}",
        "dataset": "digits",
        "task": "supervised",
        "seed": seed,
        "batch_size": 16,
        "optimizer": optimizer,
        "lr": lr,
        "weight_decay": 0.0,
        "epochs": 5,
        "head": head,
        "parent_member": parent["member"],
        "parent_sha256": parent["sha256"],
        "parent_dataset": parent["dataset"],
        **{f"parent_{name}": parent[name] for name in ("task", "seed", "batch_size", "optimizer", "lr")},
        "parent_weight_decay": parent["weight_decay"],
        "parent_epochs": parent["epochs"],
        "test_acc": accuracy,
        "test_loss": 2 * (1 - accuracy),
        "train_acc": accuracy + gap - 0.05,
        "train_acc_clean": accuracy + gap,
        "gap": gap,
        "gap_online": gap - 0.05,
        **_statistics(move, contrastive),
        "l2_distance": length,
    }
    row["l2_norm"] = parent["l2_norm"] + 0.1 * length
    return row, move


def _statistics(vector: np.ndarray, contrastive: bool) -> dict[str, float]:
    return {
        "weight_mean": float(vector.mean()),
        "weight_std": float(vector.std()),
        "skewness": 0.01 + 0.001 * float(vector[0]),
        "kurtosis": (3.0 if contrastive else 0.85) + 0.02 * float(vector[1]),
        "l2_norm": float(np.linalg.norm(vector)),
    }


def _agreement(random: Any, members: pd.DataFrame) -> np.ndarray:
    """Near the smaller accuracy of two fine-tuned members; unknown where either is pre-trained."""
    accuracy = members["test_acc"].to_numpy()
    found = np.minimum(accuracy[:, None], accuracy[None]) + 0.01 * random.random((len(members),) * 2)
    found = (found + found.T) / 2
    pretrained = (members["stage"] == "pretraining").to_numpy()
    found[pretrained] = np.nan
    found[:, pretrained] = np.nan
    np.fill_diagonal(found, 1.0)
    return found
