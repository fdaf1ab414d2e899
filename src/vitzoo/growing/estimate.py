"""The estimate that ``vitzoo plan`` prints: factors, members, costs and expected time, as plain JSON data."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from vitzoo.blueprint import factors
from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Backbone
from vitzoo.errors import InputError
from vitzoo.growing.cost import checkpoint_bytes, seconds, total
from vitzoo.growing.plan import Plan
from vitzoo.model.shapes import forward_macs, parameters


def estimate(plan: Plan, rate: float, rates: Mapping[Backbone, float] | None = None) -> dict[str, Any]:
    """Sum up a plan at ``rate`` FLOP/s (``rates``: measured ones by architecture); unknown numbers are ``None``.

    >>> from vitzoo.blueprint import load
    >>> from vitzoo.growing.plan import make_plan
    >>> estimate(make_plan(load("paper")), rate=1e15)["total"]["members"]
    250
    """
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"The rate is {rate} FLOP/s; expected a finite number greater than 0.")
    pretraining, finetuning = plan.stage("pretraining"), plan.stage("finetuning")
    stages = {"pretraining": pretraining, "finetuning": finetuning}
    return {
        "name": plan.blueprint.name,
        "licence": plan.blueprint.licence,
        "factors": [asdict(factor) for factor in factors.generating(pretraining, finetuning)],
        "constants": [asdict(factor) for factor in factors.constants(pretraining, finetuning)],
        "architectures": [_architecture(recipes, rate, rates) for recipes in _by_architecture(plan.members)],
        "stages": {stage: _sum(recipes, rate, rates) for stage, recipes in stages.items()},
        "total": _sum(plan.members, rate, rates),
        "rate": rate,
    }


def _sum(recipes: list[Recipe] | tuple[Recipe, ...], rate: float, rates: Mapping[Backbone, float] | None) -> Any:
    cost = total(recipes)
    return asdict(cost) | {"flop": cost.flop, "seconds": seconds(recipes, rate, rates)}


def _by_architecture(recipes: tuple[Recipe, ...]) -> list[list[Recipe]]:
    """Group recipes by stage and architecture; initialisation is no part of a shape."""
    groups: dict[object, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault((recipe.stage, recipe.architecture.model_copy(update={"init": "timm"})), []).append(recipe)
    return list(groups.values())


def _architecture(recipes: list[Recipe], rate: float, rates: Mapping[Backbone, float] | None) -> dict[str, Any]:
    """Describe what the members of one architecture have in common."""
    arch = recipes[0].architecture
    return {
        "stage": recipes[0].stage,
        "backbone": factors.backbone(arch),
        "head": factors.head(arch.head),
        "outputs": arch.head.outputs,
        "members": len(recipes),
        "parameters": parameters(arch),
        "forward_macs": forward_macs(arch),
        "checkpoint_bytes": checkpoint_bytes(arch),
        "rate": (rates or {}).get(arch, rate),
    }
