"""A zoo of two very small ViTs, and ways to put a stranger's file into it so that nothing else is wrong."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Augmentation, Backbone, Checkpoints, Dataset, Head, Hyperparameters
from vitzoo.model.shapes import parameter_shapes
from vitzoo.model.timm_names import describe
from vitzoo.zoo import Member, Zoo
from vitzoo.zoo.layout import CONFIG, MANIFEST, WEIGHTS

ARCH = Backbone(image_size=8, patch_size=4, dim=4, depth=1, heads=2, mlp_ratio=2, head=Head(outputs=3))
DIGITS = Dataset(source="digits", classes=10, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
PARENT, CHILD = "pre", "ft"
MEMBER = Path("finetuning") / PARENT / CHILD
AT = MEMBER / "checkpoint_000001"
PLACES = {
    "weights": AT / WEIGHTS,
    "config": MEMBER / CONFIG,
    "manifest": AT / MANIFEST,
    "result": MEMBER / "result.json",
    "zoo": Path("zoo.json"),
    "blueprint": Path("blueprint.yaml"),
    "catalogue": Path("catalogue.parquet"),
}
BLUEPRINT = """\
vitzoo: 1
name: hostile
pretraining:
  architecture: {image_size: 8, patch_size: 4, dim: 4, depth: 1, heads: 2, mlp_ratio: 2}
  dataset: digits
  hyperparameters: {seed: 1, epochs: 1, batch_size: 32, lr: 1e-3}
"""


def recipe(parent: str | None = None, arch: Backbone = ARCH, **factors: Any) -> Recipe:
    return Recipe(
        stage="finetuning" if parent else "pretraining",
        architecture=arch,
        dataset=DIGITS,
        augmentation=Augmentation(),
        hyperparameters=Hyperparameters(**({"seed": 1, "epochs": 1, "batch_size": 2, "lr": 0.1} | factors)),
        checkpoints=Checkpoints(),
        parent=parent,
    )


def config(name: str, parent: dict[str, Any] | None = None, arch: Backbone = ARCH, **factors: Any) -> dict[str, Any]:
    """The config of a member; the same on every machine."""
    own = recipe(parent["id"] if parent else None, arch, **factors)
    return {
        "format": 1,
        "name": name,
        "id": own.id,
        "stage": own.stage,
        "parent": parent,
        "recipe": own.model_dump(mode="json"),
        **describe(arch, DIGITS),
    }


def child_config() -> dict[str, Any]:
    return config(CHILD, {"member": PARENT, "id": recipe().id})


def weights(seed: int, arch: Backbone = ARCH) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(shape, dtype="f4") for name, shape in parameter_shapes(arch).items()}


def grow(member: Member, origin: dict[str, Any] | None = None, arch: Backbone = ARCH, drawn: int = 0) -> dict[str, Any]:
    sha256 = ""
    for epoch in range(2):
        metrics = {"train_loss": 1.0 - epoch / 2, "test_acc": epoch / 2}
        seed = epoch + 10 * (origin is None) + 100 * drawn
        sha256 = member.commit(epoch, weights(seed, arch), metrics, origin if epoch == 0 else None)
    return {"member": member.name, "epoch": 1, "sha256": sha256}


def make(path: Path) -> Zoo:
    zoo = Zoo.create(path, name="hostile", licence="CC0-1.0", blueprint=BLUEPRINT, execution={"device": "cpu"})
    parent = zoo.add_member(config(PARENT))
    grow(zoo.add_member(child_config()), grow(parent))
    return zoo


def make_families(path: Path) -> Zoo:
    """A zoo of two families that can be measured on the digits: for each of two seeds a backbone and two children."""
    arch = ARCH.model_copy(update={"head": Head(outputs=10)})
    zoo = Zoo.create(path, name="families", licence="CC0-1.0", blueprint=BLUEPRINT, execution={"device": "cpu"})
    for seed in (1, 2):
        root = zoo.add_member(config(f"pre-{seed}", arch=arch, seed=seed))
        origin = grow(root, arch=arch, drawn=seed)
        for number, optimizer in enumerate(("adamw", "sgd"), 2):
            above = {"member": root.name, "id": root.id}
            child = zoo.add_member(config(f"ft-{seed}-{optimizer}", above, arch, optimizer=optimizer))
            grow(child, origin, arch, seed * number + 5)
    return zoo


def plant(root: Path, kind: str, data: bytes) -> Path:
    """Put bytes where this kind of file is in a zoo, with copies and digests to them, and return its place there."""
    place = PLACES[kind]
    (root / place).write_bytes(data)
    if kind == "weights":
        sign(root / AT, WEIGHTS, data)
    if kind == "config":
        for checkpoint in (root / MEMBER).glob("checkpoint_*"):
            (checkpoint / CONFIG).write_bytes(data)
            sign(checkpoint, CONFIG, data)
    return place


def sign(checkpoint: Path, name: str, data: bytes) -> None:
    """Make a manifest say that a file is as it is."""
    found = json.loads((checkpoint / MANIFEST).read_bytes())
    found["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (checkpoint / MANIFEST).write_text(json.dumps(found))
