"""The config of an imported member: its recipe as far as it is known, and everything that its source said.

The published zoo tells every factor, so its recipes are whole and have a recipe's id. Elsewhere what is not said is
left out rather than filled with a default, and the id is a hash of what is known and of the member's place.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Backbone, Dataset
from vitzoo.model.timm_names import describe
from vitzoo.sharing.importing.survey import Found
from vitzoo.zoo import imported
from vitzoo.zoo.layout import FORMAT

GROUPS = ("dataset", "augmentation", "hyperparameters")
WHOLE = ("official",)  # layouts that tell every factor, so that defaults are facts


def config(
    found: Found, name: str, layout: str, arch: Backbone, parent: Mapping[str, Any] | None, epochs: list[int]
) -> dict[str, Any]:
    """Return the config.json of a member; ``parent`` is ``{"member", "id"}``."""
    stage = "finetuning" if parent else "pretraining"
    groups = {
        "stage": stage,
        "architecture": arch.model_dump(mode="json"),
        **{group: found.recipe[group] for group in GROUPS if group in found.recipe},
        "parent": parent["id"] if parent else None,
    }
    notes = list(found.notes)
    recipe, ident = _identify(groups, found.key, whole=layout in WHOLE, notes=notes)
    return {
        "format": FORMAT,
        "name": name,
        "id": ident,
        "stage": stage,
        "parent": dict(parent) if parent else None,
        "recipe": recipe,
        "imported": imported.make(layout, found.key, found.name, found.declared, epochs, notes),
        **describe(arch, _normalisation(found.recipe.get("dataset", {}))),
    }


def _identify(groups: dict[str, Any], key: str, whole: bool, notes: list[str]) -> tuple[dict[str, Any], str]:
    """Return the recipe and its id: of a whole recipe the usual one, else a hash of what is known and of the place."""
    if whole:
        try:
            recipe = Recipe.model_validate_json(json.dumps(groups | {"checkpoints": {}}))
            return recipe.model_dump(mode="json"), recipe.id
        except ValidationError as error:
            fields = sorted({".".join(map(str, problem["loc"])) for problem in error.errors()})
            notes.append(f"its recipe is not whole: {', '.join(fields)[:200]}")
    text = json.dumps({"recipe": groups, "key": key}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return groups, hashlib.sha256(text.encode()).hexdigest()


def _normalisation(dataset: Mapping[str, Any]) -> Dataset:
    """Return what timm is told of mean and deviation: the source's, else ImageNet's, as timm's own default."""
    said: dict[str, Any] = {name: tuple(dataset[name]) for name in ("mean", "std") if name in dataset}
    return Dataset.model_construct(**said)
