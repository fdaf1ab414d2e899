"""Populations small enough to train in a blink: digits at 8×8, a ViT of two blocks."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Augmentation, Backbone, Checkpoints, Crop, Dataset, Head, Hyperparameters
from vitzoo.data.device import DeviceSplit
from vitzoo.data.load import load
from vitzoo.model.layout import Layout
from vitzoo.training import loop
from vitzoo.training.compute import Compute
from vitzoo.training.start import from_scratch

TRAIN, TEST = 80, 300  # a supervised evaluation takes 256 at a time, so its last batch is incomplete
DIGITS = Dataset(source="digits", classes=10, train_limit=TRAIN, test_limit=TEST)
LINEAR, MLP, PROJECTION = Head(outputs=10), Head(kind="mlp", hidden=12, outputs=10), Head(outputs=6)
AUGMENTATION = Augmentation(crop=Crop(kind="random", padding=1), flip=0.5)
MIXED = {"label_smoothing": 0.1, "mixup": 0.8, "cutmix": 1.0, "random_erasing": 0.25, "stochastic_depth": 0.3}
VIEWS = {"task": "contrastive", "temperature": 0.2, "stochastic_depth": 0.3}

#: The optimisers of a stack of six, AdamW first as the plan arranges them.
OPTIMIZERS: list[dict[str, Any]] = [
    {"lr": 3e-3, "weight_decay": 0.05},
    {"lr": 1e-3},
    {"lr": 1e-4, "betas": (0.8, 0.99)},
    {"optimizer": "sgd", "lr": 1e-1, "weight_decay": 1e-3},
    {"optimizer": "sgd", "lr": 1e-2, "momentum": 0.99},
    {"optimizer": "sgd", "lr": 3e-2, "momentum": 0.9},
]


def backbone(head: Head = LINEAR, **more: Any) -> Backbone:
    """A ViT of two blocks, or with other dimensions."""
    fields = {"image_size": 8, "patch_size": 4, "dim": 12, "depth": 2, "heads": 2} | more
    return Backbone(**fields, head=head)


def recipe(head: Head = LINEAR, **hyper: Any) -> Recipe:
    """A pre-training recipe; keywords are hyperparameters."""
    settings = {"seed": 7, "epochs": 2, "batch_size": 16, "lr": 1e-3} | hyper
    return Recipe(
        stage="pretraining",
        architecture=backbone(head),
        dataset=DIGITS,
        augmentation=AUGMENTATION,
        hyperparameters=Hyperparameters(**settings),
        checkpoints=Checkpoints(),
        parent=None,
    )


@lru_cache(maxsize=1)
def splits() -> tuple[DeviceSplit, DeviceSplit]:
    """The little training and test split; the images are copied out of the cache, which goes."""
    with TemporaryDirectory() as cache:
        images = load(DIGITS, 8, Path(cache), Path(cache))
        arrays = [np.array(a) for a in (images.x_train, images.y_train, images.x_test, images.y_test)]
    return DeviceSplit(arrays[0], arrays[1], "cpu"), DeviceSplit(arrays[2], arrays[3], "cpu")


def population(recipes: Sequence[Recipe], precision: str) -> loop.Population:
    """Members that train together on the little data."""
    return loop.Population(recipes, *splits(), 10, Compute("cpu", precision))


def trained(recipes: Sequence[Recipe], precision: str, starts: Iterable[dict] | None = None) -> list[loop.Epoch]:
    """Train to the end and return every epoch."""
    torch.set_num_threads(1)
    stack = population(recipes, precision)
    return list(loop.train(stack, loop.begin(stack, list(starts or map(from_scratch, recipes)))))


def without_key_bias(flat: torch.Tensor, head: Head = LINEAR) -> torch.Tensor:
    """Set the key third of every qkv.bias to 0 in rows [K, P].

    Softmax ignores it, so its true gradient is 0 and AdamW makes steps of the rounding noise.
    """
    flat = flat.clone()
    for name, view in Layout.of(backbone(head)).views(flat).items():
        if name.endswith("qkv.bias"):
            view[:, view.shape[1] // 3 : 2 * view.shape[1] // 3] = 0
    return flat
