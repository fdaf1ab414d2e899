"""All methods on sets of models of one fine-tuning configuration: how much of what the models know is kept.

Sets are drawn: two, three or all backbones of one task, of the other, or of both. Each draw has another order, so that
the reference differs, and another seed for what is learned. In sets of two and three no two backbones began from the
same initial weights.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitzoo import rng
from vitzoo.errors import InputError
from vitzoo.measures.inference import Places
from vitzoo.measures.plain import finite
from vitzoo.measures.scoring import score_rows
from vitzoo.measures.workers import workers
from vitzoo.merging.across import path
from vitzoo.merging.across.methods import METHODS
from vitzoo.merging.across.run import bring, ensemble, site
from vitzoo.zoo import Zoo

Row = dict[str, Any]
Tell = Callable[[str, int, int], None]
CONFIGURATION = ("optimizer", "lr", "head", "seed", "weight_decay", "batch_size")
TASKS = ("supervised", "contrastive")


@dataclass(frozen=True)
class Draw:
    """Models to be merged, by their position in a site, and the seed of what is learned."""

    kind: str
    chosen: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class Line:
    """A method on one draw: accuracy of the merged model, mean of the models, their ensemble, and what is retained."""

    kind: str
    method: str
    models: int
    seed: int
    accuracy: float
    ends: float
    ensemble: float
    retained: float

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        return finite(vars(self))


def configurations(zoo: Zoo, where: str | None = None) -> list[list[Row]]:
    """Return last checkpoints by fine-tuning configuration, one for each backbone, the most accurate one first.

    Only those are in it that most backbones have. InputError if no two backbones have a child in common; ``where``
    narrows the choice.
    """
    condition = f"stage = 'finetuning' AND is_last AND status = 'finished'{f' AND ({where})' if where else ''}"
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in zoo.rows(condition):
        groups.setdefault(tuple(row.get(name) for name in CONFIGURATION), []).append(row)
    alone = [rows for rows in groups.values() if len({row["parent_member"] for row in rows}) == len(rows)]
    most = max((len(rows) for rows in alone), default=0)
    if most < 2:
        raise InputError(f"{zoo.place} has no two backbones that were fine-tuned alike, so there is nothing to merge.")
    found = [rows for rows in alone if len(rows) == most]
    return sorted(found, key=lambda rows: -float(np.mean([row["test_acc"] for row in rows])))


def draws(rows: Sequence[Row], count: int) -> Iterator[Draw]:
    """Yield ``count`` draws of each kind of set that there are models for."""
    by_task = {task: [i for i, row in enumerate(rows) if row["parent_task"] == task] for task in TASKS}
    for kind, sizes in _kinds({task: len(found) for task, found in by_task.items()}).items():
        for number in range(count):
            random = rng.stream(number, "merge benchmark", kind)
            chosen = _drawn(rows, by_task, sizes, random)
            if chosen is not None:
                yield Draw(kind, chosen, number)


def _kinds(there: dict[str, int]) -> dict[str, dict[str, int]]:
    """Name the kinds of sets, with how many models of each task are in them."""
    both = {"two, one of each": {"supervised": 1, "contrastive": 1}, "all of both": there}
    found = {}
    for task, number in there.items():
        found |= {f"{name} {task}": {task: size} for name, size in (("two", 2), ("three", 3)) if number >= size}
        if number > 3:
            found[f"all {number} {task}"] = {task: number}
    return found | (both if all(there.values()) else {})


def _drawn(
    rows: Sequence[Row], by_task: dict[str, list[int]], sizes: dict[str, int], random: np.random.Generator
) -> tuple[int, ...] | None:
    """Draw models in random order; few ones must have begun apart. None if a hundred draws find no such set."""
    total = sum(sizes.values())
    for _ in range(100):
        found = [i for task, size in sizes.items() for i in random.permutation(by_task[task])[:size].tolist()]
        starts = {rows[i]["parent_seed"] for i in found}
        if total > 3 or total == len([i for task in sizes for i in by_task[task]]) or len(starts) == total:
            return tuple(int(i) for i in random.permutation(found))
    return None


def benchmark(
    zoo: Zoo,
    places: Places,
    methods: Sequence[str] = tuple(METHODS),
    count: int = 3,
    where: str | None = None,
    kinds: Sequence[str] = (),
    tell: Tell = lambda what, done, total: None,
) -> list[Line]:
    """Run methods on ``count`` draws of each kind of set, or of some; errors as ``configurations`` and ``site``.

    InputError names the kinds there are if one is unknown.
    """
    rows = configurations(zoo, where)[0]
    place = site([zoo.checkpoint(row["member"], row["epoch"]) for row in rows], places)
    ends = score_rows(place.ground, place.rows).accuracy
    every = list(draws(rows, count))
    known = list(dict.fromkeys(draw.kind for draw in every))
    if unknown := [kind for kind in kinds if kind not in known]:
        raise InputError(f"{zoo.place} has no sets {unknown[0]!r}; it has {', '.join(map(repr, known))}.")
    every = [draw for draw in every if draw.kind in (kinds or known)]
    total, done = len(every) * len(methods), itertools.count(1)

    def one(draw: Draw) -> list[Line]:
        models, together, own = place.models(draw.chosen), ensemble(place, draw.chosen), ends[list(draw.chosen)]
        found = []
        for method in methods:
            result = bring(models, method, draw.seed)
            merged = place.row(result.merged).unsqueeze(0)
            accuracy = float(score_rows(place.ground, merged).accuracy[0])
            kept, mean = path.retained(accuracy, own, place.chance), float(own.mean())
            found.append(Line(draw.kind, method, len(own), draw.seed, accuracy, mean, together, kept))
            tell("Merging", next(done), total)
        return found

    with workers(len(every), "cpu") as (pool, _):  # the largest first, so that no core is idle for long
        largest = sorted(every, key=lambda draw: -len(draw.chosen))
        found = dict(zip(largest, pool.map(one, largest), strict=True))
    return [line for draw in every for line in found[draw]]


def summary(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return mean and spread (with n - 1; None for one draw) of what each method retains on each kind of set."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.kind, line.method), []).append(line)
    return [
        {
            "set": kind,
            "method": method,
            "n": len(some),
            "models": some[0].models,
            "retained": float(np.mean([line.retained for line in some])),
            "sd": float(np.std([line.retained for line in some], ddof=1)) if len(some) > 1 else None,
            "accuracy": float(np.mean([line.accuracy for line in some])),
            "ends": float(np.mean([line.ends for line in some])),
            "ensemble": float(np.mean([line.ensemble for line in some])),
        }
        for (kind, method), some in groups.items()
    ]
