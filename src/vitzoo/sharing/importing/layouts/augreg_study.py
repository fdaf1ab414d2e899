"""How AugReg's models were trained: what its table says, and what is the same for all of them, by the paper.

Steiner et al. (2021), "How to train your ViT? Data, Augmentation, and Regularization in Vision Transformers": Adam with
decoupled weight decay, batches of 4,096, a cosine schedule and gradients clipped to norm 1; adaptation by SGD with
momentum 0.9, batches of 512, a cosine schedule, no weight decay. Images are scaled to [-1, 1].
"""

from typing import Any

from vitzoo.sharing.importing.tables import datasets, factors
from vitzoo.sharing.importing.tables.values import shown

#: Levels of ``aug``: the α of MixUp, then layers and magnitude of RandAugment (seven, in this order, in the paper).
LEVELS = {
    "none": (0.0, 0, 0),
    "light0": (0.0, 2, 0),
    "light1": (0.2, 2, 10),
    "medium1": (0.2, 2, 15),
    "medium2": (0.5, 2, 15),
    "strong1": (0.5, 2, 20),
    "strong2": (0.8, 2, 20),
}
#: Attention heads by the size in a model's name.
HEADS = {"Ti": 3, "S": 6, "B": 12, "L": 16}
_SAME_UPSTREAM = {"task": "supervised", "batch_size": 4096, "optimizer": "adamw", "schedule": "cosine", "clip": 1.0}
_SAME_ADAPTED = {"task": "supervised", "batch_size": 512, "optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.0}
_SAME_ADAPTED |= {"schedule": "cosine", "clip": 1.0}
_IMAGES = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
_NO_FACT_OF_TRAINING = ("params", "infer_samples_per_sec")

Recipe = dict[str, dict[str, Any]]


def is_hybrid(name: str) -> bool:
    """Say whether a model begins with a ResNet, by its name in the paper.

    >>> is_hybrid("R26+S/32"), is_hybrid("B/16")
    (True, False)
    """
    return name.startswith("R") or "+" in name


def is_upstream(column: str) -> bool:
    """Say whether a column speaks of the model that was adapted, rather than of an adaptation."""
    return not column.startswith("adapt_") and column not in _NO_FACT_OF_TRAINING


def upstream(said: dict[str, Any]) -> tuple[Recipe, list[str]]:
    """Return the recipe of a pre-trained model, and notes.

    >>> said = {"name": "Ti/16", "ds": "i1k", "epochs": 300, "aug": "medium1", "do": 0.0}
    >>> said |= {"lr": 0.001, "wd": 0.03, "sd": 0.1}
    >>> recipe, notes = upstream(said)
    >>> recipe["dataset"]["source"], recipe["hyperparameters"]["mixup"], recipe["hyperparameters"]["stochastic_depth"]
    ('imagenet', 0.2, 0.1)
    >>> notes
    ['aug medium1 is MixUp 0.2 and RandAugment (2 layers, magnitude 15), which no recipe has']
    """
    notes: list[str] = []
    named = {"epochs": said["epochs"], "lr": said["lr"], "weight_decay": said["wd"], "stochastic_depth": said["sd"]}
    if said["aug"] in LEVELS:
        mixup, layers, magnitude = LEVELS[said["aug"]]
        named["mixup"] = mixup
        if layers:
            what = f"MixUp {mixup:g} and RandAugment ({layers} layers, magnitude {magnitude})"
            notes.append(f"aug {said['aug']} is {what}, which no recipe has")
    else:
        notes.append(f"aug {shown(said['aug'])} is none of the paper's levels, so its MixUp is not known")
    if said["do"]:
        notes.append(f"its dropout is {shown(said['do'])}, which no recipe has")
    return _recipe(said, said["ds"], _SAME_UPSTREAM, named, notes), notes


def adapted(said: dict[str, Any]) -> tuple[Recipe, list[str]]:
    """Return the recipe of an adaptation, and notes."""
    notes = [
        f"it was trained for {shown(said.get('adapt_steps'))} steps of 512 images; its only state counts as epoch 1"
    ]
    return _recipe(said, said.get("adapt_ds"), _SAME_ADAPTED, {"lr": said.get("adapt_lr")}, notes), notes


def _recipe(said: dict[str, Any], data: Any, same: dict[str, Any], named: dict[str, Any], notes: list[str]) -> Recipe:
    recipe: Recipe = {"hyperparameters": dict(same)}
    for name, value in named.items():
        known, problem = factors.of(name, value) if value is not None else (None, None)
        if known is not None:
            recipe["hyperparameters"][name] = known
        if problem:
            notes.append(problem)
    if heads := HEADS.get(str(said["name"]).partition("/")[0]):
        recipe["architecture"] = {"heads": heads}
    if source := datasets.source(data):
        recipe["dataset"] = {"source": source, **_IMAGES}
    return recipe
