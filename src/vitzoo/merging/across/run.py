"""Members of a zoo brought together: read, merged, judged beside the models, their ensemble and a control."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.errors import InputError, nearest
from vitzoo.measures import inference
from vitzoo.measures.inference import Places
from vitzoo.measures.plain import finite
from vitzoo.measures.scoring import Ground, score_rows
from vitzoo.merging.across import path
from vitzoo.merging.across.methods import METHODS, Result
from vitzoo.merging.across.models import Lessons, Models, Params
from vitzoo.merging.across.path import Path
from vitzoo.merging.ingredients import check_alike
from vitzoo.merging.save import reference, save
from vitzoo.model.layout import Layout
from vitzoo.zoo import Checkpoint, Member, Zoo

Tell = Callable[[str, int, int], None]  # (what is being done, done, total)


@dataclass(frozen=True, eq=False)
class Site:
    """Checkpoints of one shape, ready to be merged: in memory, with images to learn from and to be judged on."""

    checkpoints: Sequence[Checkpoint]
    recipe: Recipe
    rows: Tensor  # [M, P]
    lessons: Lessons
    ground: Ground

    @property
    def layout(self) -> Layout:
        """Names and shapes of a row's tensors."""
        return Layout.of(self.recipe.architecture)

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        return 1 / self.ground.classes

    def models(self, chosen: Sequence[int], images: int = 400) -> Models:
        """Return some of the models, in this order; the first is the reference."""
        raw = [dict(self.layout.views(self.rows[i])) for i in chosen]
        return Models(raw, self.recipe.architecture, self.lessons, images)

    def row(self, params: Params) -> Tensor:
        """Return a model as a row [P], float32."""
        return self.layout.pack({name: tensor.float() for name, tensor in params.items()})


def site(checkpoints: Sequence[Checkpoint], places: Places, device: str = "cpu") -> Site:
    """Read checkpoints that can be merged.

    InputError says in what they differ or that there are fewer than two; IntegrityError names damaged or not finite
    weights; DataError says which images are missing.
    """
    if len(checkpoints) < 2:
        raise InputError("At least two models are merged. Choose more; `vitzoo ls` lists members.")
    recipes = [inference.recipe_of(one.member) for one in checkpoints]
    check_alike(checkpoints, recipes)
    recipe = recipes[0]
    layout = Layout.of(recipe.architecture)
    images = places.labelled(recipe)
    pipeline = inference.pipeline_of(recipe, images.classes)
    return Site(
        checkpoints,
        recipe,
        torch.stack([inference.read_row(one, layout) for one in checkpoints]),
        Lessons(inference.split_of(images, "train"), pipeline),
        Ground(recipe, images.classes, inference.split_of(images, "test", device)),
    )


def bring(models: Models, method: str, seed: int = 0) -> Result:
    """Merge models by a method; InputError if there is no such method, or the models cannot be aligned by it."""
    if method not in METHODS:
        raise InputError(
            f"{method!r} is no method of merging across trees; use {', '.join(METHODS)}.{nearest(method, METHODS)}"
        )
    try:
        return METHODS[method].run(models, seed)
    except ValueError as error:
        raise InputError(f"These models cannot be merged by {method!r}: {error}.") from None


@dataclass(frozen=True, eq=False)
class Verdict:
    """A merged model beside the models it was made of.

    ends: test accuracies of the models as they are; ensemble: that of the mean of their predicted probabilities.
    between: averages of the models as they were aligned, or none. control: accuracy of the method without alignment.
    """

    method: str
    members: list[str]
    accuracy: float
    loss: float
    ends: list[float]
    ensemble: float
    chance: float
    images: int
    between: Path
    control: tuple[str, float] | None
    seed: int
    model: Tensor

    @property
    def retained(self) -> float:
        """What is kept of what the models know beyond chance."""
        return path.retained(self.accuracy, self.ends, self.chance)

    def plain(self) -> dict[str, Any]:
        """Return everything but the weights as plain JSON data."""
        kept = {name: value for name, value in vars(self).items() if name not in ("model", "between", "control")}
        name, accuracy = self.control or (None, None)
        more = {
            "retained": self.retained,
            "standard_error": path.standard_error(self.accuracy, self.images),
            "control": name and {"method": name, "accuracy": accuracy},
            "between": self.between.plain(),
        }
        return finite(kept | more)


def judge(
    place: Site, method: str, points: int = 11, seed: int = 0, tell: Tell = lambda what, done, total: None
) -> Verdict:
    """Merge all models of a site, judge the result, its control, and averages between the aligned models."""
    models = place.models(range(len(place.checkpoints)))
    tell("Merging", 0, 1)
    found = bring(models, method, seed)
    control = METHODS[method].control
    rows = [place.row(found.merged)]
    if control is not None:
        rows.append(place.row(bring(models, control, seed).merged))
    tell("Merging", 1, 1)
    judged = torch.cat([torch.stack(rows), place.rows])
    scores = score_rows(place.ground, judged)
    ends = torch.stack([place.row(each) for each in found.ends])
    shares = path.between(len(ends), points, seed)
    walked = path.walk(ends, shares, place.ground, lambda done, total: tell("Evaluating", done, total))
    return Verdict(
        method,
        [one.member.name for one in place.checkpoints],
        float(scores.accuracy[0]),
        float(scores.loss[0]),
        scores.accuracy[len(rows) :].tolist(),
        ensemble(place),
        place.chance,
        len(place.ground.split),
        walked,
        None if control is None else (control, float(scores.accuracy[1])),
        seed,
        rows[0],
    )


def ensemble(place: Site, chosen: Sequence[int] | None = None) -> float:
    """Return the test accuracy of the mean of models' predicted probabilities."""
    rows = place.rows if chosen is None else place.rows[list(chosen)]
    split = place.ground.split
    outputs = inference.logits(place.layout.views(rows.to(split.device)), place.recipe, place.ground.classes, split)
    wide = np.exp(outputs - outputs.max(axis=2, keepdims=True), dtype=np.float64)
    predicted = (wide / wide.sum(axis=2, keepdims=True)).mean(axis=0).argmax(axis=1)
    labels = split.gather(np.arange(len(split)))[1].cpu().numpy()
    return float((predicted == labels).mean())


def store(zoo: Zoo, place: Site, verdict: Verdict, name: str | None = None) -> Member:
    """Make a member of a merged model; errors as ``save``."""
    of = [reference(one) for one in place.checkpoints]
    metrics = {"test_acc": verdict.accuracy, "test_loss": verdict.loss}
    tensors = place.layout.views(verdict.model)
    return save(zoo, tensors, f"across/{verdict.method}", {"seed": verdict.seed}, of, metrics, name)
