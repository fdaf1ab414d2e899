"""What a merged member was made of, as its config.json says it: method, settings, ingredients; and its whole config.

The id of a merge is a hash of these, as that of a recipe is of its factors: the same merge has the same id.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vitzoo.zoo.checkpoint import is_edge
from vitzoo.zoo.layout import MERGING

EDGE = ("member", "epoch", "sha256")
METHOD = re.compile(r"[a-z][a-z0-9-]{0,31}(/[a-z0-9][a-z0-9-]{0,31})?", re.ASCII)
TIMM = ("architecture", "num_classes", "num_features", "global_pool", "model_args", "pretrained_cfg")

Merge = Mapping[str, Any]
Edge = dict[str, Any]


def make(
    method: str,
    settings: Mapping[str, Any],
    ingredients: Sequence[Mapping[str, Any]],
    parent: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a config says of a merge.

    ``ingredients`` are ``{"member", "epoch", "sha256"}`` of the checkpoints that were merged, each with its ``share``
    of the weights where there is such a thing. ``parent`` is the checkpoint that their differences were taken from.
    """
    return {
        "method": method,
        "settings": dict(settings),
        "ingredients": [dict(one) for one in ingredients],
        "parent": None if parent is None else dict(parent),
    }


def merge_id(merge: Merge) -> str:
    """Return the SHA-256 of the canonical JSON of a merge, without the shares, which follow from the rest."""
    plain = dict(merge) | {"ingredients": [{key: one[key] for key in EDGE} for one in merge["ingredients"]]}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def origins(merge: Merge) -> list[Edge]:
    """List the checkpoints whose weights are in a merge, each once: ingredients, and their parent if it was used."""
    found = [*merge["ingredients"], *([merge["parent"]] if merge["parent"] else [])]
    return list({(one["member"], one["epoch"]): {key: one[key] for key in EDGE} for one in found}.values())


def is_merge(value: Any) -> bool:
    """Say whether a value has the form of a merge."""
    return (
        isinstance(value, dict)
        and set(value) == {"method", "settings", "ingredients", "parent"}
        and isinstance(value["method"], str)
        and METHOD.fullmatch(value["method"]) is not None
        and isinstance(value["settings"], dict)
        and isinstance(value["ingredients"], list)
        and len(value["ingredients"]) > 0
        and all(map(_is_ingredient, value["ingredients"]))
        and (value["parent"] is None or is_edge(value["parent"]))
    )


def make_config(name: str, merge: Merge, of: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the config of a merged member, given those of its ingredients: the factors in which they agree."""
    same = agreed(
        [{"recipe": config["recipe"], **{key: config[key] for key in TIMM if key in config}} for config in of]
    )
    recipe = {key: value for key, value in same.pop("recipe", {}).items() if key not in ("checkpoints", "parent")}
    return {
        "format": 1,
        "name": name,
        "id": merge_id(merge),
        "stage": MERGING,
        "parent": None,
        "merge": dict(merge),
        "recipe": recipe | {"stage": MERGING, "parent": None},
        **same,
    }


def agreed(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Keep what all of some nested objects have in common.

    >>> agreed([{"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4, "d": 3}}])
    {'a': 1, 'b': {'d': 3}}
    """
    found = {}
    for key, first in values[0].items():
        if any(key not in other for other in values):
            continue
        each = [other[key] for other in values]
        if all(isinstance(value, dict) for value in each):
            found[key] = agreed(each)
        elif all(value == first for value in each):
            found[key] = first
    return found


def _is_ingredient(value: Any) -> bool:
    if not isinstance(value, dict) or not is_edge({key: value[key] for key in value if key != "share"}):
        return False
    share = value.get("share", 0)
    return type(share) in (int, float) and math.isfinite(share)
