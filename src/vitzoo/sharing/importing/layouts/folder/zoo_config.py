"""What vitzoo itself put into a config: a zoo's recipe and parent, and the origin that an export writes."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from vitzoo.blueprint.schema import Augmentation, Dataset, Hyperparameters
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.tables.values import shown

#: The key under which an export says which checkpoint of which zoo it is.
ORIGIN = "vitzoo"
_GROUPS: dict[str, type[BaseModel]] = {
    "dataset": Dataset,
    "augmentation": Augmentation,
    "hyperparameters": Hyperparameters,
}


def add(facts: Facts, config: Mapping[str, Any]) -> None:
    """Add what a config says that only a zoo's has; of others nothing."""
    recipe, origin = config.get("recipe"), config.get(ORIGIN)
    if isinstance(recipe, dict):
        _add_recipe(facts, recipe)
    _add_parent(facts, config.get("parent"))
    if isinstance(origin, dict):
        _add_parent(facts, origin.get("parent"))
        facts.epoch = _epoch(origin.get("epoch"))


def _add_recipe(facts: Facts, recipe: Mapping[str, Any]) -> None:
    """Take a recipe group by group, as far as they are sound, and the initialisation, which no shape tells."""
    for group, fields in _GROUPS.items():
        said = recipe.get(group)
        if not isinstance(said, dict):
            continue
        try:
            facts.recipe[group] = fields.model_validate(said).model_dump(mode="json", include=set(said))
        except ValidationError as error:
            first = error.errors()[0]
            where = shown(".".join(map(str, (group, *first["loc"]))))
            facts.note(f"the recipe in its config is not sound and left out: {where}: {first['msg']}")
    architecture = recipe.get("architecture")
    if isinstance(architecture, dict) and architecture.get("init") in ("timm", "released"):
        facts.set("architecture", "init", architecture["init"])


def _add_parent(facts: Facts, said: Any) -> None:
    if isinstance(said, dict) and isinstance(said.get("member"), str):
        facts.descend(said["member"], epoch=_epoch(said.get("epoch")))


def _epoch(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 10**9 else None
