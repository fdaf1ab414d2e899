"""Merging models of a zoo by one method: chosen, merged, judged beside what they were made of, and saved if wished."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitzoo.errors import InputError, nearest
from vitzoo.measures.inference import Places, split_of
from vitzoo.measures.plain import finite
from vitzoo.measures.scoring import Ground, score_rows
from vitzoo.measures.selection import LeftOut
from vitzoo.merging.ingredients import Gathered, choose, gather
from vitzoo.merging.methods import METHODS, Merged, Setting
from vitzoo.merging.save import reference, save
from vitzoo.model.layout import Layout
from vitzoo.zoo import Member, Zoo

Tell = Callable[[str, int, int], None]  # (what is being done, done, total)


@dataclass(frozen=True)
class Judged:
    """A checkpoint that was merged, or could have been: its share (None where there is none), and on the test split."""

    member: str
    epoch: int
    sha256: str
    share: float | None
    accuracy: float
    loss: float


@dataclass(frozen=True, eq=False)
class Result:
    """A merged model, as a row of ``layout``, and how it does beside its ingredients on the whole test split.

    settings: all of the method's. chosen: what the method chose by itself. ingredients: all that could enter, in
    order; those with share 0 did not. parent: what differences were taken from. Accuracies are in [0, 1], losses nats.
    """

    method: str
    settings: dict[str, Any]
    chosen: dict[str, Any]
    ingredients: list[Judged]
    parent: dict[str, Any] | None
    accuracy: float
    loss: float
    notes: list[str]
    left_out: list[LeftOut]
    model: Tensor
    layout: Layout

    @property
    def mean(self) -> float:
        """Mean accuracy of the ingredients."""
        return float(np.mean([one.accuracy for one in self.ingredients]))

    @property
    def mean_loss(self) -> float:
        """Mean loss of the ingredients."""
        return float(np.mean([one.loss for one in self.ingredients]))

    @property
    def best(self) -> Judged:
        """The ingredient of best accuracy, the first of equals."""
        return max(self.ingredients, key=lambda one: one.accuracy)

    @property
    def merged(self) -> list[Judged]:
        """The ingredients that are in the model."""
        return [one for one in self.ingredients if one.share != 0]

    def plain(self) -> dict[str, Any]:
        """Return everything but the weights as plain JSON data."""
        return finite(
            {
                "method": self.method,
                "settings": self.settings,
                "chosen": self.chosen,
                "test_acc": self.accuracy,
                "test_loss": self.loss,
                "ingredients_mean_acc": self.mean,
                "ingredients_mean_loss": self.mean_loss,
                "ingredients_best_acc": self.best.accuracy,
                "ingredients": [vars(one) for one in self.ingredients],
                "parent": self.parent,
                "notes": self.notes,
                "left_out": [vars(out) for out in self.left_out],
            }
        )


def merge(
    zoo: Zoo,
    places: Places,
    method: str,
    members: Sequence[str] = (),
    where: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    tell: Tell = lambda what, done, total: None,
) -> Result:
    """Merge models of a zoo; ``members`` or ``where`` says which, as for ``choose``.

    ``settings`` change those of the method; texts are read as what they stand for. InputError if there is no such
    method or setting, or the method cannot merge these models; DataError if images are missing.
    """
    values = read_settings(method, settings or {})
    choice = choose(zoo, method, members, where)
    gathered = gather(method, choice.checkpoints, places, device, lambda done, total: tell("Merging", done, total))
    recipe = gathered.ingredients.recipe
    images = places.labelled(recipe)
    made = METHODS[method].run(gathered.ingredients, **values)
    if not made.model.isfinite().all():
        raise InputError(f"What {method!r} made of these models is not finite; other settings may do.")
    ground = Ground(recipe, images.classes, split_of(images, "test", device))
    if METHODS[method].least > 1 and made.shares and sum(share != 0 for share in made.shares) == 1:
        gathered.notes.append("One model is left alone: no average with another was as good by the images chosen by.")
    merged, found = _judged(method, gathered, made, ground, lambda done, total: tell("Evaluating", done, total))
    return Result(
        method,
        values,
        dict(made.chosen),
        found,
        None if gathered.parent is None else reference(gathered.parent),
        *merged,
        gathered.notes,
        choice.left_out,
        made.model,
        gathered.ingredients.layout,
    )


def store(zoo: Zoo, result: Result, name: str | None = None) -> Member:
    """Make a member of a merged model; errors as ``save``."""
    of = [
        {"member": one.member, "epoch": one.epoch, "sha256": one.sha256}
        | ({} if one.share is None else {"share": one.share})
        for one in result.merged
    ]
    metrics = {"test_acc": result.accuracy, "test_loss": result.loss}
    tensors = result.layout.views(result.model)
    return save(zoo, tensors, result.method, _recorded(result), of, metrics, name, result.parent)


def read_settings(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a method, those given in place of its defaults; InputError names what is not one."""
    if method not in METHODS:
        raise InputError(f"{method!r} is no method; use {', '.join(METHODS)}.{nearest(method, METHODS)}")
    known = METHODS[method].settings
    for name in given:
        if name not in known:
            listed = "; it has none" if not known else "; it has " + "; ".join(map(_described, known.items()))
            raise InputError(f"{method!r} has no setting {name!r}{listed}.{nearest(name, known)}")
    return {name: _read(name, one, given[name]) if name in given else one.default for name, one in known.items()}


def _described(item: tuple[str, Setting]) -> str:
    name, setting = item
    default = "none" if setting.default is None else str(setting.default)
    return f"{name} ({setting.what}; default {default})"


def _read(name: str, setting: Setting, given: Any) -> Any:
    text = str(given).strip()
    if setting.default is None and text.lower() in ("", "none", "null"):
        return None
    if setting.kind is bool:
        if text.lower() in ("true", "false", "yes", "no"):
            return text.lower() in ("true", "yes")
        raise InputError(f"{name}={text!r} is neither true nor false.")
    try:
        found = setting.kind(text)
    except ValueError:
        kind = {int: "whole number", float: "number"}[setting.kind]
        raise InputError(f"{name}={text!r} is no {kind}: {name} is {setting.what}.") from None
    if isinstance(found, float) and not np.isfinite(found):
        raise InputError(f"{name}={text!r} is not finite.")
    return found


def _judged(
    method: str, gathered: Gathered, made: Merged, ground: Ground, tell: Callable[[int, int], None]
) -> tuple[tuple[float, float], list[Judged]]:
    """Judge the merged model and what could enter it in one pass; epochs outside a window could not."""
    shares = made.shares or [None] * len(gathered.checkpoints)
    kept = [i for i, share in enumerate(shares) if share != 0 or not METHODS[method].trajectory]
    rows = torch.cat([made.model.unsqueeze(0), gathered.ingredients.models[kept]])
    scores = score_rows(ground, rows, tell)
    found = [
        Judged(**reference(gathered.checkpoints[i]), share=shares[i], accuracy=accuracy, loss=loss)
        for i, accuracy, loss in zip(kept, scores.accuracy[1:].tolist(), scores.loss[1:].tolist(), strict=True)
    ]
    return (float(scores.accuracy[0]), float(scores.loss[0])), found


def _recorded(result: Result) -> dict[str, Any]:
    """Return the settings with what the method chose in their place."""
    return result.settings | result.chosen
