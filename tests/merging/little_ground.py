"""Random images with labels, and small ViTs as rows, for methods that judge models by images."""

import numpy as np
import torch
from small_vits import arch, model

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Augmentation, Checkpoints, Dataset, Hyperparameters
from vitzoo.data.device import DeviceSplit
from vitzoo.measures.inference import batches
from vitzoo.measures.scoring import Ground
from vitzoo.merging.methods import Ingredients
from vitzoo.model.layout import Layout
from vitzoo.model.timm_names import create, describe
from vitzoo.model.vit import forward

CLASSES = 7


def recipe(kind="linear"):
    return Recipe(
        stage="pretraining",
        architecture=arch(kind),
        dataset=Dataset(source="digits", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        augmentation=Augmentation(),
        hyperparameters=Hyperparameters(seed=1, epochs=1, batch_size=2, lr=0.1),
        checkpoints=Checkpoints(),
        parent=None,
    )


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def ground(kind="linear", count=24, seed=0, labels=None):
    drawn = np.random.default_rng(seed).integers(0, CLASSES, count) if labels is None else np.asarray(labels)
    return Ground(recipe(kind), CLASSES, DeviceSplit(images(count, seed), drawn, "cpu"))


def rows(kind, *seeds):
    layout = Layout.of(arch(kind))
    return torch.stack([layout.pack({name: x.float() for name, x in model(kind, seed).items()}) for seed in seeds])


def batch(where):
    """All prepared images [N, 3, S, S] and labels [N] of a ground."""
    found = list(batches(where.recipe, where.classes, where.split, len(where.split)))
    return found[0][0][0], found[0][1]


def outputs(row, where):
    found, _ = batch(where)
    architecture = where.recipe.architecture
    with torch.no_grad():
        return forward(Layout.of(architecture).views(row[None]), found[None], architecture)[0]


def timm_model(kind, row):
    state = Layout.of(arch(kind)).views(row)
    return create(describe(arch(kind), Dataset(source="digits")), {name: x.clone() for name, x in state.items()})


def ingredients(kind, models, where=None, parent=None):
    ask = (lambda count: where) if where is not None else None
    asked = {"held_out": ask, "training": ask} if ask else {}
    return Ingredients(recipe(kind), models, tuple(range(1, len(models) + 1)), parent, **asked)
