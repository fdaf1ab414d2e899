"""Checkpoints as models: those of one shape are stacked and run together, in float32, on whole splits of images."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Backbone
from vitzoo.data.device import DeviceSplit
from vitzoo.data.images import Images
from vitzoo.data.load import load
from vitzoo.data.order import eval_order
from vitzoo.data.pipeline import Pipeline
from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.selection import Row, Selection
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens
from vitzoo.model.vit import forward
from vitzoo.zoo import Checkpoint, Member
from vitzoo.zoo.layout import CONFIG, WEIGHTS

#: Tokens that one batch of all members of a stack works on: less starves the device, more spills its caches.
TOKENS = {"cpu": 8192, "cuda": 1 << 20}
SMALLEST = 32  # images in a batch, as long as one member alone does not need more tokens
SPLITS = ("test", "train")


@dataclass(frozen=True)
class Places:
    """Where data sets lie, where decoded ones are kept, and whether missing ones may be downloaded."""

    data: Path
    cache: Path
    download: bool = False

    def images(self, recipe: Recipe) -> Images:
        """Load a recipe's data set; DataError says what is missing and where to put it."""
        return load(recipe.dataset, recipe.architecture.image_size, self.data, self.cache, self.download)


def recipe_of(member: Member) -> Recipe:
    """Return a member's recipe; InputError if its config describes no model that vitzoo runs."""
    try:
        return Recipe.model_validate_json(json.dumps(member.recipe))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        where = member.path / CONFIG
        raise InputError(f"{where} describes no model that vitzoo runs: {field}: {first['msg']}.") from None


def groups(selection: Selection) -> Iterator[tuple[Recipe, list[Row]]]:
    """Group checkpoints that are evaluated alike: the same architecture, data, task and treatment of test images."""
    recipes: dict[str, Recipe] = {}
    found: dict[str, tuple[Recipe, list[Row]]] = {}
    for row in selection.rows:
        if row["member"] not in recipes:
            recipes[row["member"]] = recipe_of(selection.zoo.member(row["member"]))
        recipe = recipes[row["member"]]
        key = json.dumps(evaluation(recipe), sort_keys=True)
        found.setdefault(key, (recipe, []))[1].append(row)
    yield from found.values()


def evaluation(recipe: Recipe) -> dict[str, Any]:
    """Return what an evaluation depends on besides weights and images, as plain JSON data.

    A supervised evaluation has no chance in it. A contrastive one compares augmented views within a batch, so it
    depends on the augmentation, the batch size and the temperature.
    """
    hyper, cut = recipe.hyperparameters, recipe.augmentation.crop
    found: dict[str, Any] = {
        "task": hyper.task,
        "architecture": recipe.architecture.model_dump(mode="json", exclude={"init"}),
        "dataset": recipe.dataset.model_dump(mode="json"),
        "resize": cut.resize if cut and cut.kind == "random" else None,
    }
    if hyper.task != "supervised":
        found["augmentation"] = recipe.augmentation.model_dump(mode="json")
        found |= {"batch_size": hyper.batch_size, "temperature": hyper.temperature}
    return found


def read_row(checkpoint: Checkpoint, layout: Layout) -> Tensor:
    """Read a checkpoint as one row of numbers, float32 [P].

    IntegrityError if its bytes are not what the manifest says, do not fit the architecture, or are not finite.
    """
    checkpoint.check()
    try:
        row = layout.pack({name: tensor.float() for name, tensor in checkpoint.state_dict().items()})
    except ValueError as error:
        raise IntegrityError(f"{checkpoint.path / WEIGHTS} does not fit its config: {error}.") from None
    if not row.isfinite().all():
        raise IntegrityError(f"{checkpoint.path / WEIGHTS} holds values that are not finite.")
    return row


def stack(checkpoints: Sequence[Checkpoint], arch: Backbone, device: str = "cpu") -> dict[str, Tensor]:
    """Read checkpoints of one architecture as one population: float32 tensors [K, *shape] under timm's names.

    IntegrityError as ``read_row``.
    """
    layout = Layout.of(arch)
    return layout.views(torch.stack([read_row(checkpoint, layout) for checkpoint in checkpoints]).to(device))


def split_of(images: Images, split: str, device: str = "cpu") -> DeviceSplit:
    """Return the test or training split of a data set, ready to be gathered from."""
    x, y = (images.x_test, images.y_test) if split == "test" else (images.x_train, images.y_train)
    return DeviceSplit(x, y, device)


def pipeline_of(recipe: Recipe, classes: int) -> Pipeline:
    """Return what a recipe does to images."""
    return Pipeline(
        recipe.augmentation, recipe.hyperparameters, recipe.dataset, recipe.architecture.image_size, classes
    )


def stack_size(recipe: Recipe, device: str = "cpu") -> int:
    """Return how many members like this one to run together."""
    return max(1, TOKENS[device] // (SMALLEST * tokens(recipe.architecture)))


def batches(recipe: Recipe, classes: int, split: DeviceSplit, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the whole split, resized, cut and normalised, without chance: images [1, B, 3, S, S] and labels [B]."""
    pipeline = pipeline_of(recipe, classes)
    for index in eval_order(len(split), size):
        images, labels = split.gather(index)
        yield pipeline.eval_batch(images).unsqueeze(0), labels


@torch.inference_mode()
def logits(params: Mapping[str, Tensor], recipe: Recipe, classes: int, split: DeviceSplit) -> np.ndarray:
    """Return the outputs of a population on a whole split, float32 [K, N, C]."""
    members = next(iter(params.values())).shape[0]
    size = max(1, TOKENS[split.device.type] // (members * tokens(recipe.architecture)))
    parts = [forward(params, images, recipe.architecture) for images, _ in batches(recipe, classes, split, size)]
    return torch.cat(parts, dim=1).cpu().numpy()
