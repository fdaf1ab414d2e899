"""What a config declares of its member's weights, and whether its recipe and the files agree with it. No torch."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from vitzoo.blueprint.schema import Backbone
from vitzoo.errors import IntegrityError
from vitzoo.model.timm_names import check_shapes, declared
from vitzoo.zoo.regular import REMEDY
from vitzoo.zoo.safetensors_header import Slot

FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
NEEDED = frozenset(name for name, field in Backbone.model_fields.items() if field.is_required())


def architecture(config: Mapping[str, Any], where: object) -> Backbone | None:
    """Return the architecture that a config declares by timm's keys or by its recipe; ``None`` if by neither.

    ``where`` names the config. InputError or IntegrityError says what is out of range, or where the two disagree.
    """
    recipe = config["recipe"].get("architecture")
    stated = recipe if isinstance(recipe, dict) else {}
    found = declared(config, where)
    if found is None:
        return _from_recipe(stated, where)
    if field := _disagreement(stated, found.model_dump(mode="json")):
        raise IntegrityError(f"{where} has another {field} in its recipe than in its model_args. {REMEDY}.")
    return found


def check(slots: Mapping[str, Slot], arch: Backbone, where: object) -> None:
    """IntegrityError names the first tensor that has not the shape which is declared, or no type of weights."""
    check_shapes({name: slot.shape for name, slot in slots.items()}, arch, where)
    for name, slot in slots.items():
        if slot.dtype not in FLOATS:
            raise IntegrityError(f"{where}, tensor {name!r}: {slot.dtype} is no type of weights. {REMEDY}.")


def _from_recipe(stated: Mapping[str, Any], where: object) -> Backbone | None:
    head = stated.get("head")
    if not stated.keys() >= NEEDED or not isinstance(head, dict) or head.get("outputs") is None:
        return None  # a recipe that is known in part declares no shapes
    try:
        return Backbone.model_validate(dict(stated))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(ascii(part)[1:-1] if isinstance(part, str) else str(part) for part in problem["loc"])
        raise IntegrityError(f"{where} has a recipe of no model: {place[:80]}: {problem['msg']}. {REMEDY}.") from None


def _disagreement(stated: Mapping[str, Any], found: Mapping[str, Any], prefix: str = "") -> str | None:
    """Name the first field that is stated otherwise; how weights were drawn has no trace in timm's keys."""
    for field, value in found.items():
        other = stated.get(field, value)
        if isinstance(value, dict):
            deeper = _disagreement(other, value, f"{field}.") if isinstance(other, dict) else field
            if deeper:
                return deeper
        elif field != "init" and (other != value or isinstance(other, bool)):
            return prefix + field
    return None
