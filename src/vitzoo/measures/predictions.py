"""What checkpoints predict: logits and classes on a whole split, computed once and kept.

Supervised members give classes, kept with their logits; contrastive ones (the paper's Table 8) only loss and accuracy,
because what they predict is which two views of a batch belong together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.device import DeviceSplit
from vitzoo.data.images import Images
from vitzoo.errors import DataError, InputError, IntegrityError
from vitzoo.measures.cache import Arrays, Cache, Shape
from vitzoo.measures.inference import (
    SMALLEST,
    Places,
    evaluation,
    groups,
    logits,
    pipeline_of,
    read_row,
    split_of,
    stack_size,
)
from vitzoo.measures.outputs import describe
from vitzoo.measures.selection import LeftOut, Row, Selection, name_of, reason
from vitzoo.measures.workers import workers
from vitzoo.model.layout import Layout
from vitzoo.training.evaluate import Beat
from vitzoo.training.evaluate import evaluate as score
from vitzoo.training.objectives import OBJECTIVES, Objective

VERSION = 1
Tell = Callable[[int, int], None]  # (done, total), in checkpoints
Key = tuple[str, int]  # member and epoch


@dataclass(frozen=True, eq=False)
class Prediction:
    """A checkpoint on a split: mean cross-entropy (or InfoNCE), accuracy in [0, 1], predicted classes [N] or None.

    ``images`` names what was predicted: the data set's fingerprint, the split and the number of classes. Only
    predictions with equal ``images`` can be compared.
    """

    loss: float
    accuracy: float
    images: str
    classes: np.ndarray | None = None


@dataclass
class Predictions:
    """Predictions by (member, epoch), what was left out, and what else a reader should know."""

    found: dict[Key, Prediction] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    computed: int = 0


def predict(
    selection: Selection,
    places: Places,
    split: str = "test",
    device: str = "cpu",
    tell: Tell = lambda done, total: None,
) -> Predictions:
    """Return the predictions of all checkpoints of a selection on their "test" or "train" split.

    What is cached under the checkpoint's digest and the images' fingerprint is not computed again. Where the data is
    not at hand, cached predictions are used and a note says that the images could not be compared. Checkpoints with
    damaged bytes are left out, and those that have neither data nor cached predictions.
    """
    result, splits = Predictions(), Splits(split, device)
    jobs = [
        _Job(recipe, rows, selection, places, splits, result) for recipe, rows in groups(selection, result.left_out)
    ]
    missing = [(job, part) for job in jobs for part in job.missing()]
    total, done = sum(len(part) for _, part in missing), 0
    with workers(len(missing), device) as (pool, beat):
        outcomes = pool.map(lambda item: item[0].compute(item[1], beat), missing)
        for (job, part), outcome in zip(missing, outcomes, strict=True):
            job.take(part, outcome)
            done += len(part)
            tell(done, total)
    return result


class Splits:
    """One split of every data set that is asked for, once on the device, whoever is evaluated on it."""

    def __init__(self, name: str, device: str) -> None:
        self.name, self.device = name, device
        self._ready: dict[str, DeviceSplit] = {}

    def of(self, images: Images) -> DeviceSplit:
        """Return the split of a data set, ready to be gathered from."""
        if images.fingerprint not in self._ready:
            self._ready[images.fingerprint] = split_of(images, self.name, self.device)
        return self._ready[images.fingerprint]


class _Job:
    """Checkpoints that are evaluated alike."""

    def __init__(
        self,
        recipe: Recipe,
        rows: Sequence[Row],
        selection: Selection,
        places: Places,
        splits: Splits,
        result: Predictions,
    ) -> None:
        self.recipe, self.rows, self.selection, self.splits = recipe, rows, selection, splits
        self.result, self.layout = result, Layout.of(recipe.architecture)
        self.images, fingerprint = self._images(places)
        self.cache = Cache(selection.zoo, "predictions", VERSION, self._settings(fingerprint))
        self.name = f"{fingerprint}-{splits.name}-{recipe.architecture.head.outputs}"

    def missing(self) -> list[list[Row]]:
        """Take what is cached; return the rest in stacks."""
        left = []
        for row in self.rows:
            cached = self.cache.get(row["sha256"], self._shapes())
            if cached is not None and self._is_sound(cached):
                self._keep(row, cached)
            elif self.images is not None:
                left.append(row)
        if not left or self.images is None:
            return []
        self.cache.put(self.images.fingerprint, {"labels": self._labels(self.images)})
        data = self.splits.of(self.images)  # before threads ask for it
        size = stack_size(self.recipe, len(data), self.splits.device, self._least())
        return [left[i : i + size] for i in range(0, len(left), size)]

    def compute(self, rows: Sequence[Row], beat: Beat) -> list[Arrays | LeftOut]:
        """Evaluate the sound checkpoints among some as one stack and cache what comes out, or say why nothing does."""
        read = [self._read(row) for row in rows]
        sound = [weights for weights in read if isinstance(weights, torch.Tensor)]
        outcomes: Iterator[Arrays] = iter(())
        if sound:
            outcomes = self._evaluated(self.layout.views(torch.stack(sound).to(self.splits.device)), beat)
        found = [each if isinstance(each, LeftOut) else next(outcomes) for each in read]
        return [self._cached(row, one) for row, one in zip(rows, found, strict=True)]

    def take(self, rows: Sequence[Row], outcomes: Sequence[Arrays | LeftOut]) -> None:
        """Add to the result what was computed."""
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, LeftOut):
                self.result.left_out.append(outcome)
            else:
                self.result.computed += 1
                self._keep(row, outcome)

    def _read(self, row: Row) -> torch.Tensor | LeftOut:
        try:
            return read_row(self.selection.checkpoint(row), self.layout)
        except (IntegrityError, InputError) as error:
            return _left_out(row, reason(error, self.selection.zoo), damaged=True)

    def _cached(self, row: Row, outcome: Arrays | LeftOut) -> Arrays | LeftOut:
        """Cache an outcome; return what is kept in memory of it, which is all but the logits."""
        if isinstance(outcome, LeftOut):
            return outcome
        if not np.isfinite(outcome["loss"]):
            return _left_out(row, "its outputs are not finite")
        self.cache.put(row["sha256"], outcome)
        return {name: outcome[name] for name in self._shapes()}

    def _evaluated(self, params: dict[str, torch.Tensor], beat: Beat) -> Iterator[Arrays]:
        assert self.images is not None
        data = self.splits.of(self.images)
        if self.recipe.hyperparameters.task == "supervised":
            labels = self._labels(self.images)
            yield from (describe(one, labels) for one in logits(params, self.recipe, self.images.classes, data, beat))
            return
        # The same draws as when the zoo was grown, so that the score can be compared with the recorded one.
        loss, accuracy = score(params, self.recipe.architecture, self._objective(), data, (self.splits.name,), beat)
        for a, b in zip(loss.tolist(), accuracy.tolist(), strict=True):
            yield {"loss": np.array(a), "accuracy": np.array(b)}

    def _objective(self) -> Objective:
        assert self.images is not None
        pipeline = pipeline_of(self.recipe, self.images.classes)
        return OBJECTIVES[self.recipe.hyperparameters.task](self.recipe, pipeline)

    def _least(self) -> int:
        """Images that a member must see at a time: contrastive ones are compared within the batches of training."""
        if self.recipe.hyperparameters.task == "supervised":
            return SMALLEST
        objective = self._objective()
        return objective.test_batch_size * objective.hyper.views

    def _labels(self, images: Images) -> np.ndarray:
        return images.y_test if self.splits.name == "test" else images.y_train

    def _shapes(self) -> dict[str, Shape]:
        found: dict[str, Shape] = {"loss": (), "accuracy": ()}
        if self.recipe.hyperparameters.task == "supervised":
            found["classes"] = (None if self.images is None else len(self._labels(self.images)),)
        return found

    def _is_sound(self, arrays: Arrays) -> bool:
        """Say whether cached classes are classes: the zoo, and its cache, may come from a stranger."""
        classes = arrays.get("classes")
        outputs = self.recipe.architecture.head.outputs or 0
        return classes is None or (classes.dtype.kind == "u" and (classes.size == 0 or int(classes.max()) < outputs))

    def _keep(self, row: Row, arrays: Arrays) -> None:
        found = Prediction(float(arrays["loss"]), float(arrays["accuracy"]), self.name, arrays.get("classes"))
        self.result.found[row["member"], row["epoch"]] = found

    def _settings(self, fingerprint: str) -> dict[str, Any]:
        return {
            **evaluation(self.recipe),
            "split": self.splits.name,
            "precision": "float32",
            "fingerprint": fingerprint,
        }

    def _images(self, places: Places) -> tuple[Images | None, str]:
        """Load the data; where it is not at hand, return the fingerprint of the newest cached predictions."""
        source = self.recipe.dataset.source
        known = Cache.known(self.selection.zoo, "predictions", VERSION, self._settings(""), "fingerprint")
        try:
            images = places.labelled(self.recipe)
        except DataError as error:
            if not known:
                what = f"predictions of {len(self.rows)} checkpoints trained on {source!r}"
                self.result.left_out.append(LeftOut(what, reason(error, self.selection.zoo, places.names)))
                return None, ""
            self._note(f"The images of {source!r} are not at hand, so cached predictions are used unchecked.")
            return None, known[-1]
        if known and images.fingerprint not in known:
            self._note(
                f"The images of {source!r} have changed since predictions were cached (fingerprint {known[-1][:8]} "
                f"then, {images.fingerprint[:8]} now); those predictions are not used."
            )
        return images, images.fingerprint

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)


def _left_out(row: Row, why: str, damaged: bool = False) -> LeftOut:
    return LeftOut(name_of(row), why, damaged)
