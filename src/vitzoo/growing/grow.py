"""The main job: a blueprint and a place become a zoo. Safe to kill and repeat; a complete zoo is left as it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitzoo import rng
from vitzoo.blueprint import Blueprint, Recipe, expand, load
from vitzoo.errors import InputError, VitzooError
from vitzoo.growing import cost, probe
from vitzoo.growing.engines import schedule
from vitzoo.growing.engines.claims import Claims
from vitzoo.growing.engines.contract import Engine
from vitzoo.growing.engines.local import LocalEngine
from vitzoo.growing.engines.watch import Patience
from vitzoo.growing.events import Event, JobFailed
from vitzoo.growing.execution import Execution, agree, choose, no_native
from vitzoo.growing.interrupts import interruptible
from vitzoo.growing.jobs import FOLDER, GrowPopulation, Job, Places, PrepareData
from vitzoo.growing.lock import exclusive
from vitzoo.growing.plan import Population, populations
from vitzoo.model.shapes import forward_macs
from vitzoo.model.timm_names import describe
from vitzoo.zoo import Member, Zoo

DONE = ("finished", "diverged")
UNCOUNTED = 50_000  # images of a data set that nobody has counted yet, to weigh jobs against each other


@dataclass(frozen=True)
class Wishes:
    """What the user may choose about how to compute; None leaves it to the machine, or to what the zoo recorded."""

    device: str | None = None
    precision: str | None = None
    stack: int | None = None
    workers: int | None = None
    devices: int | None = None
    kernels: str | None = None


@dataclass(frozen=True)
class Work:
    """What is to be done, told before it starts: members in all and already done, jobs left and their cost in FLOP."""

    zoo: Zoo
    execution: Execution
    workers: int
    members: int
    done: int
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Outcome:
    """What growing came to: members grown now, complete in the zoo, asked for, and diverged; seconds; failures."""

    zoo: Zoo
    grown: int
    done: int
    members: int
    diverged: int
    seconds: float
    failures: tuple[JobFailed, ...]


def grow(
    blueprint: Blueprint,
    places: Places,
    wishes: Wishes = Wishes(),
    engine: Engine = LocalEngine(),
    patience: Patience = Patience(),
    begun: Callable[[Work], None] = lambda work: None,
    tell: Callable[[Event], None] = lambda event: None,
    tick: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Train every member of the blueprint that the zoo lacks.

    Args:
        blueprint: what to grow; a zoo can only be continued with the blueprint it was begun with.
        places: the zoo's directory, the data root and the cache.
        wishes: device, precision, stack, number of workers, and of devices that train a population together.
        engine: where the jobs are done; it is closed at the end.
        patience: how long a worker may be silent, and how often a job is begun again.
        begun: called once with the work found; ``tell`` with every event; ``tick`` several times a second; ``say`` with
            sentences about what is chosen, before the work is begun.

    Raises:
        BusyError: another process grows this zoo.
        InputError: the zoo there was begun with another blueprint or another execution.
        Interrupted: SIGINT or SIGTERM came; everything committed stays.
    """
    start = time.monotonic()
    stages = expand(blueprint)
    recipes = [recipe for stage in stages for recipe in stage]
    with engine:
        zoo = _zoo(blueprint, places, wishes, recipes, engine, say)
        execution = Execution.model_validate(zoo.execution)
        before = _statuses(zoo, recipes)
        if all(status in DONE for status in before.values()) and not (places.zoo / FOLDER).exists():
            begun(Work(zoo, execution, 0, len(recipes), len(recipes), ()))
            return _outcome(zoo, recipes, before, start, [])
        with exclusive(places.zoo), interruptible() as check:
            zoo.sweep()
            _add_members(zoo, recipes)
            before = _statuses(zoo, recipes)
            jobs = plan_jobs(stages, before, execution, places)
            _discard_states(places.zoo, {job.id for job in jobs})
            done = sum(status in DONE for status in before.values())
            failures: list[JobFailed] = []

            def beat() -> None:
                check()
                tick()

            if jobs:
                crew = engine.crew(places.zoo, execution, len(jobs), wishes.workers)
                begun(Work(zoo, execution, crew.size, len(recipes), done, tuple(jobs)))
                failures = schedule.run(jobs, crew, tell, beat, patience)
            zoo.rebuild_catalogue()
    return _outcome(zoo, recipes, before, start, failures)


def plan_jobs(
    stages: Sequence[Sequence[Recipe]], statuses: dict[str, str], execution: Execution, places: Places
) -> list[Job]:
    """List the jobs that are left: data first, then populations, the most expensive first within a stage."""
    prepare: dict[str, PrepareData] = {}
    home: dict[str, str] = {}  # recipe id → id of the unfinished population that trains it
    left: list[Job] = []
    for stage in stages:
        open_ = [p for p in populations(stage, execution.limit) if any(statuses[r.name] not in DONE for r in p.members)]
        home |= {recipe.id: population.id for population in open_ for recipe in population.members}
        jobs = [_job(population, home, prepare, execution, places) for population in open_]
        left += sorted(jobs, key=lambda job: -job.cost)
    return [*prepare.values(), *left]


def weight(recipe: Recipe) -> float:
    """Return what a member costs relative to others: its FLOP, with ``UNCOUNTED`` images where nobody has counted."""
    hyper = recipe.hyperparameters
    return cost.cost(recipe).flop or 6 * forward_macs(recipe.architecture) * UNCOUNTED * hyper.views * hyper.epochs


def _job(
    population: Population,
    home: dict[str, str],
    prepare: dict[str, PrepareData],
    execution: Execution,
    places: Places,
) -> GrowPopulation:
    shared = population.members[0]
    size = shared.architecture.image_size
    name = f"data-{rng.fold(shared.dataset.model_dump_json(), size):x}"
    prepare.setdefault(name, PrepareData(name, shared.dataset, size, places))
    return GrowPopulation(
        id=population.id,
        recipes=population.members,
        execution=execution,
        places=places,
        needs=frozenset({name, *(home[parent] for parent in population.parents if parent in home)}),
        cost=sum(weight(recipe) for recipe in population.members),
    )


def _zoo(
    blueprint: Blueprint,
    places: Places,
    wishes: Wishes,
    recipes: Sequence[Recipe],
    engine: Engine,
    say: Callable[[str], None],
) -> Zoo:
    """Open the zoo if there is one and it fits, else create it."""
    wanted = (wishes.device, wishes.precision, wishes.stack, wishes.devices, wishes.kernels)
    if (places.zoo / "zoo.json").exists():
        zoo = Zoo.open(places.zoo)
        agree(zoo.execution, *wanted)
        _same_blueprint(zoo, recipes)
        return zoo
    execution = engine.there(wishes.device, choose, *wanted)
    if wishes.kernels is None and execution.kernels == "torch" and (why := no_native(execution.device)):
        say(f"Blocks are computed by torch's operations. {why}")
    if wishes.stack is None and isinstance(engine, LocalEngine) and probe.worthwhile(recipes):
        execution = probe.settle(recipes, execution, places.cache, say)
    return Zoo.create(
        places.zoo,
        name=blueprint.name,
        licence=blueprint.licence,
        blueprint=blueprint.to_yaml(),
        execution=execution.model_dump(),
    )


def _same_blueprint(zoo: Zoo, recipes: Sequence[Recipe]) -> None:
    recorded = {recipe.id for stage in expand(load(zoo.path / "blueprint.yaml")) for recipe in stage}
    wanted = {recipe.id for recipe in recipes}
    if recorded != wanted:
        raise InputError(
            f"The zoo {str(zoo.path)!r} was begun with another blueprint: {len(recorded & wanted)} of its "
            f"{len(recorded)} members are among the {len(wanted)} asked for. Choose another --zoo, or go on with "
            f"its own: vitzoo grow {zoo.path / 'blueprint.yaml'} --zoo {zoo.path}"
        )


def _add_members(zoo: Zoo, recipes: Sequence[Recipe]) -> None:
    names = {recipe.id: recipe.name for recipe in recipes}
    for recipe in recipes:
        zoo.add_member(config_of(recipe, names))


def config_of(recipe: Recipe, names: dict[str, str]) -> dict:
    """Return a member's config.json: identity, lineage, recipe, and what timm reads."""
    parent = None if recipe.parent is None else {"member": names[recipe.parent], "id": recipe.parent}
    return {
        "format": 1,
        "name": recipe.name,
        "id": recipe.id,
        "stage": recipe.stage,
        "parent": parent,
        "recipe": recipe.model_dump(mode="json"),
        **describe(recipe.architecture, recipe.dataset),
    }


def _statuses(zoo: Zoo, recipes: Sequence[Recipe]) -> dict[str, str]:
    found: dict[str, Member] = {member.name: member for member in zoo.members()}
    return {recipe.name: found[recipe.name].status if recipe.name in found else "planned" for recipe in recipes}


def _discard_states(zoo: Path, needed: set[str]) -> None:
    """Remove what growers left that were killed: claims, and states of populations that had only to tidy up."""
    Claims(zoo).clear()  # fences off workers of growers that were killed
    for path in (zoo / FOLDER).iterdir():
        if path.name != "lock" and path.stem not in needed:
            path.unlink()


def _outcome(
    zoo: Zoo, recipes: Sequence[Recipe], before: dict[str, str], start: float, failures: Sequence[JobFailed]
) -> Outcome:
    after = _statuses(zoo, recipes)
    grown = sum(after[name] in DONE and before[name] not in DONE for name in after)
    done = sum(status in DONE for status in after.values())
    diverged = sum(status == "diverged" for status in after.values())
    return Outcome(zoo, grown, done, len(recipes), diverged, time.monotonic() - start, tuple(failures))


def raise_first(failures: Sequence[JobFailed]) -> None:
    """Raise the first failure as the error it was, with its exit code."""
    if failures:
        error = VitzooError(failures[0].text)
        error.exit_code = failures[0].exit_code
        raise error
