"""What averages of checkpoints do on the test split: in stacks, each checkpoint read once, cached under its digests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.errors import DataError
from vitzoo.measures import inference
from vitzoo.measures.cache import Cache, joint_key
from vitzoo.measures.inference import Places
from vitzoo.measures.scoring import Ground, Scores, score
from vitzoo.measures.selection import LeftOut, Row, Selection, reason
from vitzoo.merging.study.shelf import Shelf
from vitzoo.model.layout import Layout

VERSION = 1
WINDOWS, SOUPS = "windows", "soups"  # kinds of cached results
ROUNDS = 4  # stacks for each core before results are stored, which is what an interruption costs at most
Count = Callable[[int], None]  # called with the number of averages that were judged just now


@dataclass(frozen=True)
class Job:
    """Averages that are kept together: each the uniform one of some checkpoints."""

    key: str
    averages: tuple[tuple[Row, ...], ...]


def job(averages: Sequence[tuple[Row, ...]]) -> Job:
    """Return some averages as a job, whose key is that of all digests."""
    parts = ["+".join(row["sha256"] for row in rows) for rows in averages]
    return Job(joint_key(parts), tuple(averages))


@dataclass
class Judge:
    """Judges averages of checkpoints that are evaluated alike.

    Without a ``ground`` it knows what is cached and computes nothing.
    """

    selection: Selection
    recipe: Recipe
    fingerprint: str
    ground: Ground | None
    shelf: Shelf = field(init=False)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.selection, Layout.of(self.recipe.architecture))

    def cache(self, kind: str, window: int = 0) -> Cache:
        """Return where results lie: of windows of some size, or of soups."""
        return Cache(self.selection.zoo, kind, VERSION, _settings(self.recipe, self.fingerprint, window))

    def known(self, cache: Cache, jobs: Sequence[Job]) -> dict[str, Scores]:
        """Return what is cached, by key."""
        found = {one.key: cache.get(one.key, dict.fromkeys(("loss", "accuracy"), (len(one.averages),))) for one in jobs}
        return {key: Scores(arrays["loss"], arrays["accuracy"]) for key, arrays in found.items() if arrays is not None}

    def judge(self, cache: Cache, jobs: Sequence[Job], count: Count) -> dict[str, Scores]:
        """Return the scores of some averages by key; NaN of those with a checkpoint that cannot be read."""
        found: dict[str, Scores] = {}
        for some in _bundles(jobs, self._at_once()):
            found |= self._score(some, count)
            for one in some:
                if all(map(self.shelf.is_sound, (row for rows in one.averages for row in rows))):
                    cache.put(one.key, {"loss": found[one.key].loss, "accuracy": found[one.key].accuracy})
        return found

    def _at_once(self) -> int:
        assert self.ground is not None
        split = self.ground.split
        return ROUNDS * torch.get_num_threads() * inference.stack_size(self.recipe, len(split), split.device.type)

    def _score(self, jobs: Sequence[Job], count: Count) -> dict[str, Scores]:
        assert self.ground is not None
        models = [rows for one in jobs for rows in one.averages]
        counted = 0

        def tell(done: int, total: int) -> None:
            nonlocal counted
            count(done - counted)
            counted = done

        scores = score(self.ground, lambda start, stop: self.shelf.averages(models[start:stop]), len(models), tell)
        ends = np.cumsum([len(one.averages) for one in jobs])[:-1]
        parts = zip(np.split(scores.loss, ends), np.split(scores.accuracy, ends), strict=True)
        return {one.key: Scores(*part) for one, part in zip(jobs, parts, strict=True)}


def open_judge(
    selection: Selection, recipe: Recipe, places: Places, device: str, left_out: list[LeftOut], rows: int
) -> Judge | None:
    """Return a judge on the test images of a recipe, or say what is left out because they are not at hand."""
    try:
        images = places.labelled(recipe)
    except DataError as error:
        what = f"averages of {rows} checkpoints trained on {recipe.dataset.source!r}"
        left_out.append(LeftOut(what, reason(error, selection.zoo, places.names)))
        return None
    ground = Ground(recipe, images.classes, inference.split_of(images, "test", device))
    return Judge(selection, recipe, images.fingerprint, ground)


def remembering(selection: Selection, recipe: Recipe) -> tuple[Judge, int] | None:
    """Return a judge that knows what was cached last, and of how many checkpoints its windows are; None of nothing."""
    zoo = selection.zoo
    images = Cache.known(zoo, WINDOWS, VERSION, _settings(recipe, "", 1), "fingerprint")
    if not images:
        return None
    sizes = Cache.known(zoo, WINDOWS, VERSION, _settings(recipe, images[-1], 1), "window")
    whole = [int(size) for size in sizes if size.isdecimal() and 1 < int(size) < 10**6]
    return (Judge(selection, recipe, images[-1], None), whole[-1]) if whole else None


def _settings(recipe: Recipe, fingerprint: str, window: int) -> dict[str, Any]:
    found = inference.evaluation(recipe) | {"split": "test", "precision": "float32", "fingerprint": fingerprint}
    return found | {"window": str(window)} if window else found


def _bundles(jobs: Sequence[Job], models: int) -> Iterator[list[Job]]:
    """Put jobs together until they have so many models."""
    some: list[Job] = []
    for one in jobs:
        some.append(one)
        if sum(len(each.averages) for each in some) >= models:
            yield some
            some = []
    if some:
        yield some
