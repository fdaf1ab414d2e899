"""What checkpoints predict: logits and classes on a whole split, computed once and kept.

Supervised members give classes, kept with their logits; contrastive ones (the paper's Table 8) only loss and accuracy,
because what they predict is which two views of a batch belong together.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.images import Images
from vitzoo.errors import DataError, InputError, IntegrityError
from vitzoo.measures.cache import Arrays, Cache
from vitzoo.measures.inference import Places, evaluation, groups, logits, pipeline_of, read_row, split_of, stack_size
from vitzoo.measures.selection import LeftOut, Row, Selection
from vitzoo.model.layout import Layout
from vitzoo.training.evaluate import evaluate as score
from vitzoo.training.objectives import OBJECTIVES

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
    result = Predictions()
    jobs = [_Job(recipe, rows, selection, places, split, device, result) for recipe, rows in groups(selection)]
    missing = [(job, part) for job in jobs for part in job.missing()]
    total, done = sum(len(part) for _, part in missing), 0
    with _workers(len(missing), device) as pool:
        for (_, part), _found in zip(missing, pool.map(lambda item: item[0].compute(item[1]), missing), strict=True):
            done += len(part)
            tell(done, total)
    return result


class _Job:
    """Checkpoints that are evaluated alike."""

    def __init__(
        self,
        recipe: Recipe,
        rows: Sequence[Row],
        selection: Selection,
        places: Places,
        split: str,
        device: str,
        result: Predictions,
    ) -> None:
        self.recipe, self.rows, self.selection, self.split, self.device = recipe, rows, selection, split, device
        self.result, self.layout = result, Layout.of(recipe.architecture)
        self.images, fingerprint = self._images(places)
        self.cache = Cache(selection.zoo, "predictions", VERSION, self._settings(fingerprint))
        self.name = f"{fingerprint}-{split}-{recipe.architecture.head.outputs}"
        self._data: Any = None

    def missing(self) -> list[list[Row]]:
        """Take what is cached; return the rest in stacks."""
        left = []
        for row in self.rows:
            cached = self.cache.get(row["sha256"], self._names())
            if cached is not None:
                self._keep(row, cached)
            elif self.images is not None:
                left.append(row)
        size = stack_size(self.recipe, self.device)
        stacks = [left[i : i + size] for i in range(0, len(left), size)]
        if stacks:
            assert self.images is not None
            self._data = split_of(self.images, self.split, self.device)  # before threads ask for it
            labels = self.images.y_test if self.split == "test" else self.images.y_train
            self.cache.put(self.images.fingerprint, {"labels": labels})
        return stacks

    def compute(self, rows: Sequence[Row]) -> None:
        """Evaluate the sound checkpoints among some as one stack and cache what comes out."""
        sound, weights = [], []
        for row in rows:
            try:
                weights.append(read_row(self.selection.checkpoint(row), self.layout))
                sound.append(row)
            except (IntegrityError, InputError) as error:
                self._leave_out(row, str(error).rstrip("."), damaged=True)
        if not sound:
            return
        params = self.layout.views(torch.stack(weights).to(self.device))
        outcomes = self._supervised(params) if self.recipe.hyperparameters.task == "supervised" else self._other(params)
        for row, arrays in zip(sound, outcomes, strict=True):
            if np.isfinite(arrays["loss"]):
                self.cache.put(row["sha256"], arrays)
                self._keep(row, arrays)
            else:
                self._leave_out(row, "its outputs are not finite")
        self.result.computed += len(sound)

    def _supervised(self, params: dict[str, torch.Tensor]) -> list[Arrays]:
        assert self.images is not None
        labels = self.images.y_test if self.split == "test" else self.images.y_train
        outputs = logits(params, self.recipe, self.images.classes, self._data)
        return [describe(one, labels) for one in outputs]

    def _other(self, params: dict[str, torch.Tensor]) -> list[Arrays]:
        assert self.images is not None
        objective = OBJECTIVES[self.recipe.hyperparameters.task](
            self.recipe, pipeline_of(self.recipe, self.images.classes)
        )
        # The same draws as when the zoo was grown, so that the score can be compared with the recorded one.
        loss, accuracy = score(params, self.recipe.architecture, objective, self._data, (self.split,))
        pairs = zip(loss.tolist(), accuracy.tolist(), strict=True)
        return [{"loss": np.array(a), "accuracy": np.array(b)} for a, b in pairs]

    def _names(self) -> list[str]:
        return ["loss", "accuracy", *(["classes"] if self.recipe.hyperparameters.task == "supervised" else [])]

    def _keep(self, row: Row, arrays: Arrays) -> None:
        found = Prediction(float(arrays["loss"]), float(arrays["accuracy"]), self.name, arrays.get("classes"))
        self.result.found[row["member"], row["epoch"]] = found

    def _leave_out(self, row: Row, why: str, damaged: bool = False) -> None:
        self.result.left_out.append(LeftOut(f"{row['member']}, epoch {row['epoch']}", why, damaged))

    def _settings(self, fingerprint: str) -> dict[str, Any]:
        return {**evaluation(self.recipe), "split": self.split, "precision": "float32", "fingerprint": fingerprint}

    def _images(self, places: Places) -> tuple[Images | None, str]:
        """Load the data; where it is not at hand, return the fingerprint of the newest cached predictions."""
        source = self.recipe.dataset.source
        known = Cache.known(self.selection.zoo, "predictions", VERSION, self._settings(""), "fingerprint")
        try:
            images = places.images(self.recipe)
        except DataError as error:
            if not known:
                what = f"predictions of {len(self.rows)} checkpoints trained on {source!r}"
                self.result.left_out.append(LeftOut(what, str(error).rstrip(".")))
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


def describe(outputs: np.ndarray, labels: np.ndarray) -> Arrays:
    """Return what is kept of logits [N, C] for labels [N]: loss, accuracy, classes, and the logits in 16 bits.

    Logits are kept relative to each image's largest, which no softmax and no argmax sees, so that half precision
    resolves best what matters most. The loss is computed before, in float64.

    >>> kept = describe(np.array([[1.0, 3.0], [2.0, 0.0]], np.float32), np.array([1, 1]))
    >>> float(kept["accuracy"]), kept["classes"].tolist(), kept["logits"].tolist()
    (0.5, [1, 0], [[-2.0, 0.0], [0.0, -2.0]])
    """
    wide = outputs.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    classes = outputs.argmax(axis=1)
    loss = np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(labels)), labels]
    kept = np.clip(wide, np.finfo(np.float16).min, 0).astype(np.float16)
    kind = np.min_scalar_type(outputs.shape[1] - 1)
    return {
        "loss": np.array(loss.mean()),
        "accuracy": np.array((classes == labels).mean()),
        "classes": classes.astype(kind),
        "logits": kept,
    }


@contextmanager
def _workers(jobs: int, device: str) -> Any:
    """Give a pool of threads over the cores, each stack on one of them; with fewer stacks than cores, all to each."""
    cores = torch.get_num_threads()
    threads = max(1, min(jobs, cores)) if device == "cpu" else 1
    torch.set_num_threads(max(1, cores // threads))
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(cores)
