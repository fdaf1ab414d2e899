"""The plan: a blueprint's members in order, and how they are cut into populations. Pure data, no disk."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from vitzoo.blueprint import Blueprint, expand
from vitzoo.blueprint.recipe import Recipe, Stage

#: Factors that may differ inside a stack, beside the parent: the batch stream, and what the optimiser is told.
FREE = {"seed", "optimizer", "lr", "momentum", "betas", "weight_decay"}


@dataclass(frozen=True)
class Plan:
    """What a blueprint asks for: each pre-trained member, then each one's fine-tuned members, in order."""

    blueprint: Blueprint = field(repr=False)
    members: tuple[Recipe, ...] = field(repr=False)

    def stage(self, stage: Stage) -> list[Recipe]:
        """List the members of a stage in order."""
        return [recipe for recipe in self.members if recipe.stage == stage]


@dataclass(frozen=True)
class Population:
    """Members of one shape that are trained together as one stack; its order is the order in the stack."""

    members: tuple[Recipe, ...]

    @property
    def id(self) -> str:
        """SHA-256 over the members' ids in order, 64 hexadecimal digits."""
        return hashlib.sha256("\n".join(recipe.id for recipe in self.members).encode()).hexdigest()

    @property
    def stage(self) -> Stage:
        """The stage all members belong to."""
        return self.members[0].stage

    @property
    def parents(self) -> tuple[str, ...]:
        """Recipe ids the members start from, each once, in order; empty for pre-training."""
        return tuple(dict.fromkeys(recipe.parent for recipe in self.members if recipe.parent))


def make_plan(blueprint: Blueprint) -> Plan:
    """List the members of a blueprint.

    >>> from vitzoo.blueprint import load
    >>> plan = make_plan(load("nano"))
    >>> len(plan.stage("pretraining")), len(plan.stage("finetuning"))
    (10, 240)
    """
    pretraining, finetuning = expand(blueprint)
    return Plan(blueprint, (*pretraining, *finetuning))


def populations(recipes: Iterable[Recipe], limit: Callable[[Recipe], int]) -> list[Population]:
    """Cut recipes into populations of at most ``limit(recipe)`` members.

    Members share a population only if they are equal in everything but their parent, their seed and the optimiser's
    settings (``FREE``). They are ordered by seed, because members of one seed see the same batches, and otherwise
    keep the order of the blueprint; then they are cut into chunks that differ by at most one in size. The result
    depends on the recipes and the limit alone, never on what a zoo already holds: a resumed run trains the same stacks.

    >>> from vitzoo.blueprint import load
    >>> groups = populations(make_plan(load("nano")).stage("finetuning"), lambda recipe: 16)
    >>> len(groups), max(len(group.members) for group in groups)
    (16, 15)
    """
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(shared_factors(recipe), []).append(recipe)
    ordered = (sorted(group, key=lambda recipe: recipe.hyperparameters.seed) for group in groups.values())
    return [Population(tuple(chunk)) for group in ordered for chunk in _balanced(group, limit(group[0]))]


def shared_factors(recipe: Recipe) -> str:
    """Return what members of one population have in common, as canonical JSON."""
    return recipe.model_dump_json(exclude={"parent": True, "hyperparameters": FREE})


def _balanced(group: Sequence[Recipe], stack: int) -> list[Sequence[Recipe]]:
    """Cut a sequence into as few chunks of at most ``stack`` as possible, sizes differing by at most one."""
    if stack < 1:
        raise ValueError(f"a population holds at least one member, not {stack}")
    chunks = -(-len(group) // stack)
    bounds = [i * len(group) // chunks for i in range(chunks + 1)]
    return [group[start:end] for start, end in itertools.pairwise(bounds)]
