"""Fake catalogues for tests: numbers made by formulas, no training, no disk."""

from itertools import product
from typing import Any

import pandas as pd

BACKBONES = (("supervised", 42, 32), ("supervised", 6312, 64), ("contrastive", 42, 64))


def make_table(epochs: int = 3, heads: tuple[str, ...] = ("linear", "mlp")) -> pd.DataFrame:
    """What ``zoo.table()`` returns for three backbones with the paper's fine-tuning grid, as far as it is read here."""
    rows: list[dict[str, Any]] = []
    for (task, seed, batch), *cell in product(BACKBONES, heads, ("adamw", "sgd"), (3e-3, 1e-3, 1e-4), (42, 6312)):
        for epoch in range(epochs + 1):
            rows.append({**make_row(task, seed, batch, *cell), "epoch": epoch, "is_last": epoch == epochs})
            accuracy = 0.1 + 0.2 * epoch + 0.013 * ((7 * len(rows)) % 11)
            rows[-1] |= {"test_acc": accuracy, "train_acc_clean": accuracy + 0.02}
    return pd.DataFrame(rows)


def make_row(task: str, seed: int, batch: int, head: str, optimizer: str, lr: float, ft_seed: int) -> dict[str, Any]:
    """The factors of one fine-tuned member."""
    parent = f"{task}-{seed}-{batch}"
    return {
        "stage": "finetuning",
        "status": "finished",
        "member": f"{parent}-{head}-{optimizer}-{lr}-{ft_seed}",
        "parent_member": parent,
        "parent_sha256": f"{batch:064x}",
        "parent_task": task,
        "parent_seed": seed,
        "parent_batch_size": batch,
        "head": head,
        "optimizer": optimizer,
        "lr": lr,
        "seed": ft_seed,
    }
