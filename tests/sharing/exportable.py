"""Little zoos whose members are real ViTs with random weights, for tests of what is exported; no training."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from vitzoo.blueprint.schema import Backbone, Dataset, Head
from vitzoo.model.shapes import parameter_shapes
from vitzoo.model.timm_names import describe
from vitzoo.zoo import Member, Zoo

SMALL = {"image_size": 8, "patch_size": 4, "dim": 12, "depth": 2, "heads": 3, "mlp_ratio": 2.0}
LINEAR = Head(outputs=10)
MLP = Head(kind="mlp", hidden=5, outputs=10)
MEAN, STD = (0.3, 0.4, 0.5), (0.25, 0.33, 0.5)


def tensors(arch: Backbone, seed: int, dtype: str = "f4") -> dict[str, np.ndarray]:
    """Random weights, none of them near what initialisation would give."""
    random = np.random.default_rng(seed)
    return {name: (0.3 * random.standard_normal(shape)).astype(dtype) for name, shape in parameter_shapes(arch).items()}


def backbone(head: Head = LINEAR, **sizes: Any) -> Backbone:
    return Backbone(**(SMALL | sizes), head=head)


def config(
    name: str, arch: Backbone, parent: Member | None = None, *, task: str = "supervised", epochs: int = 2, **data: Any
) -> dict[str, Any]:
    """A config as growing would build it."""
    stage = "finetuning" if parent else "pretraining"
    dataset = {"source": "digits", "mean": list(MEAN), "std": list(STD)} | data
    recipe = {
        "stage": stage,
        "architecture": arch.model_dump(mode="json"),
        "dataset": dataset,
        "augmentation": {"crop": None, "flip": 0.0},
        "hyperparameters": {"task": task, "seed": 1, "epochs": epochs, "lr": 0.1, "betas": [0.9, 0.999]},
        "checkpoints": {"initial": True, "every": 1},
        "parent": parent.id if parent else None,
    }
    return {
        "format": 1,
        "name": name,
        "id": hashlib.sha256(name.encode()).hexdigest(),
        "stage": stage,
        "parent": {"member": parent.name, "id": parent.id} if parent else None,
        "recipe": recipe,
        **describe(arch, Dataset(source="digits", mean=MEAN, std=STD)),
    }


def grow(member: Member, arch: Backbone, origin: dict[str, Any] | None = None, dtype: str = "f4") -> dict[str, Any]:
    """Commit all epochs; return the reference to the last."""
    last = member.recipe["hyperparameters"]["epochs"]
    for epoch in range(last + 1):
        seed = int(member.id[:6], 16) + epoch
        metrics = {"test_acc": epoch / 10, "test_loss": None if epoch == 0 else 1.5}
        sha256 = member.commit(epoch, tensors(arch, seed, dtype), metrics, origin if epoch == 0 else None)
    return {"member": member.name, "epoch": last, "sha256": sha256}


def empty(path: Path, name: str = "little", licence: str = "CC-BY-4.0") -> Zoo:
    return Zoo.create(path, name=name, licence=licence, blueprint="name: little\n", execution={"device": "cpu"})


def populate(path: Path) -> Zoo:
    """A supervised and a contrastive backbone, each with a fine-tuned member of either head."""
    zoo = empty(path)
    for task, outputs in (("supervised", 10), ("contrastive", 6)):
        arch = backbone(Head(outputs=outputs))
        parent = zoo.add_member(config(f"pre-{task}", arch, task=task))
        edge = grow(parent, arch)
        for head in (LINEAR, MLP):
            own = backbone(head)
            grow(zoo.add_member(config(f"ft-{head.kind}-{task}", own, parent)), own, edge)
    return zoo
