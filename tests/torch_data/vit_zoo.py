"""A zoo of tiny ViTs with drawn weights: four backbones of three seeds, children with both heads, and merges."""

from pathlib import Path

import numpy as np

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Augmentation, Backbone, Checkpoints, Dataset, Head, Hyperparameters
from vitzoo.merging.save import reference, save
from vitzoo.model.shapes import parameter_shapes
from vitzoo.model.timm_names import describe
from vitzoo.zoo import Member, Zoo

EPOCHS = 2
HEADS = 2
LINEAR, MLP = Head(kind="linear", outputs=3), Head(kind="mlp", hidden=5, outputs=3)
DIGITS = Dataset(source="digits", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def arch(head: Head = LINEAR) -> Backbone:
    return Backbone(image_size=8, patch_size=4, dim=8, depth=2, heads=HEADS, mlp_ratio=2, head=head)


def drawn(head: Head, seed: int) -> dict[str, np.ndarray]:
    """Weights in which nothing is zero or one."""
    random = np.random.default_rng(seed)
    return {
        name: (random.standard_normal(shape) / 4 + (1 if "norm" in name and name.endswith("weight") else 0)).astype(
            "f4"
        )
        for name, shape in parameter_shapes(arch(head)).items()
    }


def add(zoo: Zoo, name: str, head: Head = LINEAR, parent: Member | None = None, **hyper) -> Member:
    """Add a member with three checkpoints."""
    recipe = Recipe(
        stage="finetuning" if parent else "pretraining",
        architecture=arch(head),
        dataset=DIGITS,
        augmentation=Augmentation(),
        hyperparameters=Hyperparameters(**({"seed": 1, "epochs": EPOCHS, "batch_size": 2, "lr": 0.1} | hyper)),
        checkpoints=Checkpoints(),
        parent=parent.id if parent else None,
    )
    origin = reference(parent.checkpoint()) if parent else None
    config = {
        "format": 1,
        "name": name,
        "id": recipe.id,
        "stage": recipe.stage,
        "parent": {"member": parent.name, "id": parent.id} if parent else None,
        "recipe": recipe.model_dump(mode="json"),
        **describe(recipe.architecture, DIGITS),
    }
    member = zoo.add_member(config)
    for epoch in range(EPOCHS + 1):
        metrics = {"test_acc": (sum(name.encode()) % 50 + epoch) / 100}
        if parent:
            metrics["extra"] = 1.0
        member.commit(epoch, drawn(head, sum(name.encode()) * 10 + epoch), metrics, origin if epoch == 0 else None)
    return member


def merge(zoo: Zoo, name: str, *members: Member) -> Member:
    """Store the mean of the last checkpoints of members with one kind of head."""
    states = [member.checkpoint().tensors() for member in members]
    mean = {key: np.mean([state[key] for state in states], axis=0, dtype="f4") for key in states[0]}
    ingredients = [reference(member.checkpoint()) for member in members]
    return save(zoo, mean, "uniform", {}, ingredients, {"test_acc": 0.5}, name)


def populate(path: Path) -> Zoo:
    """Trees a and b of one seed, c and d of others; three children each; soups within a, across a and b, b and c."""
    zoo = Zoo.create(path, name="vits", licence="CC0-1.0", blueprint="name: vits\n", execution={"device": "cpu"})
    roots = {name: add(zoo, f"pre-{name}", seed=seed, lr=lr) for name, seed, lr in ROOTS}
    for name, root in roots.items():
        add(zoo, f"ft-{name}-sgd", parent=root, optimizer="sgd")
        add(zoo, f"ft-{name}-adamw", parent=root, optimizer="adamw")
        add(zoo, f"ft-{name}-mlp", MLP, root, optimizer="adamw")
    for name, trees in SOUPS.items():
        merge(zoo, name, *(zoo.member(f"ft-{tree}-{kind}") for tree in trees for kind in ("sgd", "adamw")))
    return zoo


ROOTS = (("a", 1, 0.1), ("b", 1, 0.2), ("c", 2, 0.1), ("d", 3, 0.1))
SOUPS = {"soup-a": "a", "soup-ab": "ab", "soup-bc": "bc"}
