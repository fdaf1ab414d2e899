"""A short probe before a zoo is begun: how many members to train together, in how many processes of how many threads.

What is best depends on the machine (caches, cores that share memory, kernels that wait to be launched), so a few
ways are measured on the population that costs most, all processes at once. The usual way stays unless another is
clearly faster, so that noise does not make two zoos differ; one member at a time is always among the ways.
"""

import hashlib
import itertools
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitzoo.blueprint.recipe import Recipe
from vitzoo.growing.calibrate import expense, measure_all
from vitzoo.growing.cost import available_cores, default_rate, seconds
from vitzoo.growing.execution import Execution
from vitzoo.growing.plan import populations, shared_factors
from vitzoo.native import processor

#: A way must be this much faster than the usual one to be preferred.
CLEARLY = 1.2
#: Times the usual working set that is tried, beside one member at a time.
LARGER = 4
#: Growing that is expected to take less is not worth the seconds of a probe.
WORTH = 60.0
SECONDS, ROUNDS = 0.4, 3  # for one way in one round; the ways take turns


@dataclass(frozen=True)
class Way:
    """An execution, how many members it trains together in each process, and the FLOP/s of all processes together."""

    execution: Execution
    members: int
    processes: int
    rate: float = 0.0


def worthwhile(recipes: Sequence[Recipe]) -> bool:
    """Tell whether a plan is expected to take long enough for a probe to pay."""
    expected = seconds(recipes, default_rate(available_cores()))
    return expected is None or expected > WORTH


def settle(
    recipes: Sequence[Recipe], execution: Execution, cache: Path, tell: Callable[[str], None] = lambda text: None
) -> Execution:
    """Return ``execution`` with the working set and the threads that are fastest here for a plan's members.

    What was measured is kept in ``cache``: the same plan on the same machine always gets the same answer.
    """
    path = cache / "probe" / f"{_key(recipes, execution)}.json"
    if path.exists():
        return Execution.model_validate_json(path.read_text())
    found = ways(recipes, execution)
    if len(found) > 1:
        example = _costliest(recipes, execution)[0]
        tell(f"Measuring {len(found)} ways to train {example.name} and its like.")
        found = measured(example, found)
    chosen = choose(found).execution
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(chosen.model_dump_json())
    return chosen


def ways(recipes: Sequence[Recipe], execution: Execution) -> list[Way]:
    """List the ways that differ for the population that costs most: the usual one, smaller and larger stacks, threads.

    Threads of one process are a way only where there are too few populations for a process on every core.
    """
    cores = available_cores()
    processes = 1 if execution.device == "cuda" else cores
    found: dict[int, Way] = {}
    for tokens in (execution.tokens, 1, LARGER * execution.tokens):
        other = execution.model_copy(update={"tokens": tokens})
        members = len(_costliest(recipes, other))
        found.setdefault(members, Way(other, members, processes))
    if execution.device == "cpu" and len(populations(recipes, execution.limit)) < cores:
        wide = execution.model_copy(update={"threads": cores, "kernels": "torch"})  # our kernels are for one thread
        found[0] = Way(wide, len(_costliest(recipes, wide)), 1)
    return list(found.values())


def measured(recipe: Recipe, found: Sequence[Way]) -> list[Way]:
    """Measure every way in turn, those with the same processes together; the best round counts, as noise only slows."""
    rates: list[Way] = []
    for _, group in itertools.groupby(found, key=lambda way: (way.processes, way.execution.threads)):
        same = list(group)
        stacks = [[recipe] * way.members for way in same]
        runs = measure_all(stacks * ROUNDS, same[0].execution, same[0].processes, SECONDS * ROUNDS * len(same))
        rates += [replace(way, rate=max(run.rate for run in runs[i :: len(same)])) for i, way in enumerate(same)]
    return rates


def choose(found: Sequence[Way]) -> Way:
    """Return the first, usual way, or the fastest if that is clearly faster.

    >>> cpu = Execution(device="cpu", precision="bf16", tokens=8192)
    >>> [choose([Way(cpu, 30, 2, 100.0), Way(cpu, 1, 2, rate)]).members for rate in (40.0, 119.0, 121.0)]
    [30, 30, 1]
    """
    usual, best = found[0], max(found, key=lambda way: way.rate)
    return best if best.rate > CLEARLY * usual.rate else usual


def _costliest(recipes: Sequence[Recipe], execution: Execution) -> Sequence[Recipe]:
    """Return the first population of those members, alike but for what may differ in a stack, that cost most in all."""
    kinds: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        kinds.setdefault(shared_factors(recipe), []).append(recipe)
    most = max(kinds.values(), key=expense)
    return populations(most, execution.limit)[0].members


def _key(recipes: Sequence[Recipe], execution: Execution) -> str:
    """Digest of the plan, of how it would be computed, and of the machine."""
    model = processor().get("model name", platform.processor())
    parts = [execution.model_dump(), [recipe.id for recipe in recipes], model, available_cores(), _versions()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def _versions() -> list[str]:
    from importlib.metadata import version

    return [version("torch"), version("vitzoo")]
