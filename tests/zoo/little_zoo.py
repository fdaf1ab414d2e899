"""Little zoos for tests: NumPy tensors of a few numbers, no training."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from vitzoo.zoo import Member, Zoo


def make_config(name: str, parent: Member | None = None, epochs: int = 3, **factors: Any) -> dict[str, Any]:
    """A config as ``grow`` would build it, with a small recipe."""
    stage = "finetuning" if parent else "pretraining"
    recipe = {
        "stage": stage,
        "architecture": {"image_size": 8, "patch_size": 4, "dim": 4, "depth": 1, "head": {"kind": "linear"}},
        "dataset": {"source": "digits", "mean": [0.5, 0.5, 0.5]},
        "augmentation": {"crop": None, "flip": 0.5},
        "hyperparameters": {"task": "supervised", "seed": 1, "epochs": epochs, "batch_size": 8, "lr": 0.1} | factors,
        "checkpoints": {"initial": True, "every": factors.pop("every", 1)},
        "parent": parent.id if parent else None,
    }
    recipe["hyperparameters"].pop("every", None)
    return {
        "format": 1,
        "name": name,
        "id": hashlib.sha256(name.encode()).hexdigest(),
        "stage": stage,
        "parent": {"member": parent.name, "id": parent.id} if parent else None,
        "recipe": recipe,
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 10,
    }


def make_tensors(seed: int) -> dict[str, np.ndarray]:
    """A few tensors that differ between seeds."""
    random = np.random.default_rng(seed)
    return {"b.weight": random.standard_normal((3, 4), dtype="f4"), "a.bias": random.standard_normal(3, dtype="f4")}


def grow(member: Member, last: int = 3, first: int = 0, origin: dict[str, Any] | None = None) -> dict[str, Any]:
    """Commit the epochs of a member and return the reference to its last checkpoint."""
    sha256 = ""
    for epoch in range(first, last + 1):
        metrics = {"train_loss": 2.0 - epoch / 10, "test_acc": (epoch + len(member.name) % 5) / 10}
        parent = origin if epoch == 0 else None
        sha256 = member.commit(epoch, make_tensors(hash_of(member.name) + epoch), metrics, parent)
    return {"member": member.name, "epoch": last, "sha256": sha256}


def hash_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def make_zoo(path: Path) -> Zoo:
    return Zoo.create(path, name="little", licence="CC-BY-4.0", blueprint="name: little\n", execution={"device": "cpu"})


def populate(path: Path) -> Zoo:
    """Two pre-trained members with two fine-tuned ones each."""
    zoo = make_zoo(path)
    for seed in (1, 2):
        parent = zoo.add_member(make_config(f"pre{seed}", seed=seed))
        edge = grow(parent)
        for optimizer in ("sgd", "adamw"):
            grow(zoo.add_member(make_config(f"ft-{optimizer}-{seed}", parent, optimizer=optimizer)), origin=edge)
    return zoo
