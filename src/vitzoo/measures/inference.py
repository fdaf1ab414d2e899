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
from vitzoo.errors import BlueprintError, DataError, InputError, IntegrityError
from vitzoo.measures.selection import LeftOut, Row, Selection, name_of, reason
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens
from vitzoo.model.vit import forward
from vitzoo.training.evaluate import Beat
from vitzoo.zoo import Checkpoint, Member
from vitzoo.zoo.layout import CONFIG, WEIGHTS

#: Tokens that one batch of all members of a stack works on: less starves the device, more spills its caches.
TOKENS = {"cpu": 8192, "cuda": 1 << 20}
SMALLEST = 32  # images in a batch, as long as one member alone does not need more tokens
MEMORY = 1 << 29  # bytes of weights and outputs of a stack, as long as one member alone does not need more
SPLITS = ("test", "train")
UNSAID = {"seed": 0, "epochs": 1, "batch_size": 2, "lr": 1.0}


@dataclass(frozen=True)
class Places:
    """Where data sets lie, where decoded ones are kept, and whether missing ones may be downloaded."""

    data: Path
    cache: Path
    download: bool = False

    def images(self, recipe: Recipe) -> Images:
        """Load a recipe's data set; DataError says what is missing and where to put it."""
        return load(recipe.dataset, recipe.architecture.image_size, self.data, self.cache, self.download)

    def labelled(self, recipe: Recipe) -> Images:
        """Load a recipe's data set for a loss on its labels; DataError also if a model has no output for a class."""
        images, outputs = self.images(recipe), recipe.architecture.head.outputs
        if recipe.hyperparameters.task == "supervised" and outputs is not None and images.classes > outputs:
            raise DataError(
                f"The images of {recipe.dataset.source!r} at hand have {images.classes} classes, but the model has "
                f"{outputs} outputs, so it was trained on others. Put those in their place."
            )
        return images

    @property
    def names(self) -> dict[Path, str]:
        """What the directories are called where the machine's own must not be named."""
        return {self.data: "$VITZOO_DATA", self.cache: "$VITZOO_CACHE"}


def recipe_of(member: Member) -> Recipe:
    """Return a member's recipe; InputError if its config describes no model that vitzoo runs.

    A merged member runs as the first of its ingredients, with which it shares all that an evaluation depends on.
    """
    while member.merge is not None:
        member = member.zoo.member(member.merge["ingredients"][0]["member"])
    where = f"{member.place}/{CONFIG} describes no model that vitzoo runs"
    if member.imported and "source" not in member.recipe.get("dataset", {}):
        raise InputError(f"The data set of {member.name} is not known. Import it again with --dataset.")
    try:
        recipe = Recipe.model_validate_json(json.dumps(_filled(member.recipe) if member.imported else member.recipe))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(f"{where}: {field}: {first['msg']}.") from None
    if recipe.architecture.head.outputs is None:
        raise InputError(f"{where}: the number of outputs of its head is not known.")
    return recipe


def _filled(recipe: dict[str, Any]) -> dict[str, Any]:
    """Put something where the source of an imported member says nothing of what no evaluation depends on."""
    factors = UNSAID | recipe.get("hyperparameters", {})
    return {"augmentation": {}, "checkpoints": {}} | recipe | {"hyperparameters": factors}


def groups(selection: Selection, left_out: list[LeftOut]) -> list[tuple[Recipe, list[Row]]]:
    """Group checkpoints that are evaluated alike: the same architecture, data, task and treatment of test images.

    Checkpoints of members that are no model vitzoo runs are added to ``left_out``.
    """
    recipes: dict[str, Recipe | str] = {}
    found: dict[str, tuple[Recipe, list[Row]]] = {}
    members = {row["member"]: row for row in selection.rows}.values()
    selection.zoo.files.ahead((lambda row=row: selection.member(row).config for row in members), "Reading recipes")
    for row in selection.rows:
        if row["member"] not in recipes:
            recipes[row["member"]] = _recipe_or_reason(row, selection)
        recipe = recipes[row["member"]]
        if isinstance(recipe, str):
            left_out.append(LeftOut(name_of(row), recipe))
            continue
        key = json.dumps(evaluation(recipe), sort_keys=True)
        found.setdefault(key, (recipe, []))[1].append(row)
    return list(found.values())


def _recipe_or_reason(row: Row, selection: Selection) -> Recipe | str:
    try:
        recipe = recipe_of(selection.member(row))
        pipeline_of(recipe, 1)  # says so if augmentation and image size do not go together
    except (BlueprintError, InputError, IntegrityError) as error:
        return reason(error, selection.zoo)
    return recipe


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
        raise IntegrityError(f"{checkpoint.place}/{WEIGHTS} does not fit its config: {error}.") from None
    if not row.isfinite().all():
        raise IntegrityError(f"{checkpoint.place}/{WEIGHTS} holds values that are not finite.")
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


def stack_size(recipe: Recipe, images: int, device: str = "cpu", batch: int = SMALLEST) -> int:
    """Return how many members like this one to run together on so many images, at least ``batch`` at a time."""
    arch = recipe.architecture
    each = 4 * (Layout.of(arch).width + images * (arch.head.outputs or 0))
    return max(1, min(TOKENS[device] // (batch * tokens(arch)), MEMORY // each))


def batches(recipe: Recipe, classes: int, split: DeviceSplit, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the whole split, resized, cut and normalised, without chance: images [1, B, 3, S, S] and labels [B]."""
    pipeline = pipeline_of(recipe, classes)
    for index in eval_order(len(split), size):
        images, labels = split.gather(index)
        yield pipeline.eval_batch(images).unsqueeze(0), labels


@torch.inference_mode()
def logits(
    params: Mapping[str, Tensor], recipe: Recipe, classes: int, split: DeviceSplit, beat: Beat = lambda share: None
) -> np.ndarray:
    """Return the outputs of a population on a whole split, float32 [K, N, C]; ``beat`` is as for ``evaluate``."""
    members, arch = next(iter(params.values())).shape[0], recipe.architecture
    size = max(1, TOKENS[split.device.type] // (members * tokens(arch)))
    found, done = np.empty((members, len(split), arch.head.outputs or 0), np.float32), 0
    for images, labels in batches(recipe, classes, split, size):
        beat(1.0)
        found[:, done : done + len(labels)] = forward(params, images, arch).cpu().numpy()
        done += len(labels)
    return found
