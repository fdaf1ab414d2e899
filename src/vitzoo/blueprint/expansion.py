"""From a blueprint to its recipes: the checks between stages and fields, and one spelling per recipe."""

from typing import Any, TypeVar

from vitzoo.blueprint import fractals, sources
from vitzoo.blueprint.document import Blueprint
from vitzoo.blueprint.grid import MAX_CELLS, Cell
from vitzoo.blueprint.reader import shorten
from vitzoo.blueprint.recipe import Recipe, Stage
from vitzoo.blueprint.schema import (
    Augmentation,
    Backbone,
    Crop,
    Dataset,
    Finetuning,
    Head,
    Hyperparameters,
    Pretraining,
)
from vitzoo.errors import BlueprintError

Stages = TypeVar("Stages", Pretraining, Finetuning)


def expand(blueprint: Blueprint) -> tuple[list[Recipe], list[Recipe]]:
    """Resolve a blueprint into its pre-training recipes, and for each of them, in turn, its fine-tuning recipes."""
    members = len(blueprint.pretraining) * (1 + len(blueprint.finetuning))
    if members > MAX_CELLS:
        raise BlueprintError(f"The blueprint has {members:,} members; expected at most {MAX_CELLS:,}.")
    parents = [_pretraining(stage) for stage in blueprint.pretraining]
    _refuse_duplicates(parents, blueprint.settings["pretraining"], "pretraining")
    children = [_finetuning(stage, parent) for parent in parents for stage in blueprint.finetuning]
    _refuse_duplicates(children, blueprint.settings["finetuning"], "finetuning")
    return parents, children


def _pretraining(fields: Pretraining) -> Recipe:
    fields = _resolved(fields, fields.architecture.image_size, "pretraining")
    head = _head(fields.architecture.head, fields, "pretraining")
    return _recipe("pretraining", fields, fields.architecture.model_copy(update={"head": head}), None)


def _finetuning(fields: Finetuning, parent: Recipe) -> Recipe:
    image_size = fields.architecture.image_size or parent.architecture.image_size
    patch_size = parent.architecture.patch_size
    if image_size % patch_size:
        raise BlueprintError(
            f"finetuning.architecture.image_size is {image_size}; expected a multiple of {patch_size}, "
            "the patch size of the backbone."
        )
    fields = _resolved(fields, image_size, "finetuning")
    head = _head(fields.architecture.head, fields, "finetuning")
    changes = {"image_size": image_size, "init": fields.architecture.init, "head": head}
    return _recipe("finetuning", fields, parent.architecture.model_copy(update=changes), parent.id)


def _resolved(fields: Stages, image_size: int, stage: Stage) -> Stages:
    """Complete the data set, which may depend on the size of the images."""
    return fields.model_copy(update={"dataset": fractals.resolve(fields.dataset, image_size, f"{stage}.dataset")})


def _head(head: Head, fields: Pretraining | Finetuning, stage: Stage) -> Head:
    """Resolve the width of the output: the number of classes, or for contrastive learning what the blueprint says."""
    where = f"{stage}.architecture.head.outputs"
    if fields.hyperparameters.task == "contrastive":
        if head.outputs is None:
            raise BlueprintError(f"{where} is null; expected the width of the projection for task 'contrastive'.")
        return head
    classes = sources.classes(fields.dataset)
    if head.outputs not in (None, classes):
        raise BlueprintError(
            f"{where} is {head.outputs}; expected {classes}, the number of classes of source "
            f"{shorten(fields.dataset.source)}, or null."
        )
    return head.model_copy(update={"outputs": classes})


def _recipe(stage: Stage, fields: Pretraining | Finetuning, architecture: Backbone, parent: str | None) -> Recipe:
    _check_counts(fields.dataset, fields.hyperparameters, stage)
    return Recipe(
        stage=stage,
        architecture=architecture,
        dataset=fields.dataset.model_copy(update={"classes": sources.classes(fields.dataset)}),
        augmentation=_canonical_augmentation(fields.augmentation),
        hyperparameters=_canonical(fields.hyperparameters),
        checkpoints=fields.checkpoints,
        parent=parent,
    )


def _check_counts(dataset: Dataset, hyperparameters: Hyperparameters, stage: Stage) -> None:
    """Refuse a limit above what the source holds, and a batch above what is used."""
    limits: dict[sources.Split, int | None] = {"train": dataset.train_limit, "test": dataset.test_limit}
    for split, limit in limits.items():
        available = sources.available(dataset, split)
        if limit and available and limit > available:
            raise BlueprintError(
                f"{stage}.dataset.{split}_limit is {limit}; expected at most {available}, "
                f"the {split} images of source {shorten(dataset.source)}."
            )
    images = sources.images(dataset, "train")
    if images and hyperparameters.batch_size > images:
        raise BlueprintError(
            f"{stage}.hyperparameters.batch_size is {hyperparameters.batch_size}; expected at most {images}, "
            "the number of training images."
        )


def _canonical(hyperparameters: Hyperparameters) -> Hyperparameters:
    """Reset what the optimiser does not read, so that it cannot tell two equal recipes apart."""
    unread = "momentum" if hyperparameters.optimizer == "adamw" else "betas"
    return hyperparameters.model_copy(update={unread: Hyperparameters.model_fields[unread].default})


def _canonical_augmentation(augmentation: Augmentation) -> Augmentation:
    """Reset what a crop of the other kind reads, and drop what never happens."""
    changes: dict[str, Any] = {}
    if crop := augmentation.crop:
        unread = ("scale", "ratio") if crop.kind == "random" else ("padding", "resize")
        changes["crop"] = crop.model_copy(update={name: Crop.model_fields[name].default for name in unread})
    jitter, blur = augmentation.jitter, augmentation.blur
    strength = jitter and (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    if jitter and not (jitter.probability and any(strength or ())):
        changes["jitter"] = None
    if blur and not blur.probability:
        changes["blur"] = None
    return augmentation.model_copy(update=changes)


def _refuse_duplicates(recipes: list[Recipe], settings: list[Cell], stage: Stage) -> None:
    """Two cells must not describe one member: the zoo would hold it once, and the plan would count it twice."""
    first: dict[str, int] = {}
    for i, recipe in enumerate(recipes):
        if (twin := first.setdefault(recipe.id, i)) != i:
            a, b = twin % len(settings), i % len(settings)
            raise BlueprintError(
                f"{stage}.grid describes the same recipe twice: cell {a + 1} {shorten(settings[a], 200)} "
                f"and cell {b + 1} {shorten(settings[b], 200)}; expected every cell to differ in a factor."
            )
