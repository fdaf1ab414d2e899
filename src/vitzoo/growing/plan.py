"""The plan: a blueprint's members in order, and how they are cut into populations. Pure data, no disk."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vitzoo.blueprint import Blueprint, expand
from vitzoo.blueprint.recipe import Recipe, Stage

#: Factors that may differ inside a stack: where a member starts from, and what its optimiser is told.
FREE = {"optimizer", "lr", "momentum", "betas", "weight_decay"}


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


def populations(recipes: Iterable[Recipe], stack: int) -> list[Population]:
    """Cut recipes into populations of at most ``stack`` members.

    Members share a population only if they are equal in everything but their parent and the optimiser's settings
    (``FREE``), so that one batch serves the whole stack. They keep the order of the blueprint, are cut into chunks
    that differ by at most one in size, and inside a chunk equal optimisers stand together. The result depends on
    the recipes and ``stack`` alone, never on what a zoo already holds: a resumed run trains the same stacks.

    >>> from vitzoo.blueprint import load
    >>> groups = populations(make_plan(load("nano")).members, stack=16)
    >>> len(groups), max(len(group.members) for group in groups)
    (26, 15)
    """
    if stack < 1:
        raise ValueError(f"a population holds at least one member, not {stack}")
    groups: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        groups.setdefault(shared_factors(recipe), []).append(recipe)
    return [Population(_by_optimizer(chunk)) for group in groups.values() for chunk in _balanced(group, stack)]


def shared_factors(recipe: Recipe) -> str:
    """Return what members of one population have in common, as canonical JSON."""
    return recipe.model_dump_json(exclude={"parent": True, "hyperparameters": FREE})


def _balanced(group: Sequence[Recipe], stack: int) -> list[Sequence[Recipe]]:
    """Cut a sequence into as few chunks of at most ``stack`` as possible, sizes differing by at most one."""
    chunks = -(-len(group) // stack)
    bounds = [i * len(group) // chunks for i in range(chunks + 1)]
    return [group[start:end] for start, end in itertools.pairwise(bounds)]


def _by_optimizer(chunk: Sequence[Recipe]) -> tuple[Recipe, ...]:
    return tuple(sorted(chunk, key=lambda recipe: recipe.hyperparameters.optimizer))
