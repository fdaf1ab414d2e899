"""How sharply the loss curves at members: largest eigenvalues and trace of the Hessian of their cross-entropy.

As in Yao et al. (2018) and Yang et al. (2021), whom the paper's Section 5 cites. The loss is the plain mean
cross-entropy on images without augmentation, label smoothing, MixUp or stochastic depth, so members of every recipe can
be compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.images import Images
from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures import inference
from vitzoo.measures.cache import Arrays, Cache, Shape
from vitzoo.measures.inference import Places
from vitzoo.measures.landscape.hessian import Batches, hessian, loss_and_slope
from vitzoo.measures.landscape.spectrum import SpectrumError, top, trace
from vitzoo.measures.plain import finite
from vitzoo.measures.sample import sample
from vitzoo.measures.selection import LeftOut, Row, Selection, name_of, reason
from vitzoo.measures.tell import Tell, silent
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens

VERSION = 1
_NUMBERS, _SPECTRUM = (
    ("loss", "gradient_norm", "trace", "trace_error", "images", "parameters"),
    ("eigenvalues", "eigenvalue_errors"),
)


@dataclass(frozen=True)
class CurvatureSetting:
    """What curvature is measured on and how: a sample of a split, eigenvalues sought, probes for the trace.

    A split with fewer images is used whole.
    """

    images: int = 512
    split: str = "train"
    top: int = 5
    probes: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in inference.SPLITS:
            raise InputError(f"{self.split!r} is no split; use {' or '.join(map(repr, inference.SPLITS))}.")
        if self.top < 1 or self.probes < 2:
            raise InputError(
                f"Curvature was asked for with {self.top} eigenvalues and {self.probes} probes; it needs at least 1 "
                "eigenvalue, and 2 probes for a standard error."
            )


@dataclass(frozen=True)
class Curvature:
    """The Hessian of a checkpoint's mean cross-entropy on a sample of images.

    loss: the mean cross-entropy there, in nats; gradient_norm: the length of its gradient, 0 at a minimum.
    eigenvalues: the algebraically largest, falling; eigenvalue_errors: bounds of their errors.
    trace, trace_error: estimate and its standard error, of the probes; the sample of images is taken as it is.
    images, parameters: how many of them.
    """

    member: str
    epoch: int
    loss: float
    gradient_norm: float
    eigenvalues: tuple[float, ...]
    eigenvalue_errors: tuple[float, ...]
    trace: float
    trace_error: float
    images: int
    parameters: int


@dataclass(frozen=True)
class Curvatures:
    """Curvature of a selection's checkpoints, in its order, and what was left out."""

    found: tuple[Curvature, ...]
    setting: CurvatureSetting
    left_out: tuple[LeftOut, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data; what is not finite becomes ``None``."""
        return finite(asdict(self))


def curvature(
    selection: Selection,
    places: Places,
    setting: CurvatureSetting = CurvatureSetting(),
    device: str = "cpu",
    tell: Tell = silent,
) -> Curvatures:
    """Measure the curvature of the loss at all checkpoints of a selection, in float32.

    Members without a cross-entropy (contrastive ones), damaged bytes, outputs that are not finite and spectra that do
    not converge are left out. Results are cached by the checkpoint's digest.
    DataError if the images are not at hand; VitzooError if curvlinops is not installed.
    """
    found: dict[tuple[str, int], Curvature] = {}
    left_out, done = list(selection.left_out), 0
    for recipe, rows in inference.groups(selection, left_out):
        for row, outcome in _measured(recipe, rows, selection, places, setting, device):
            done += 1
            tell(done, len(selection.rows), row["member"])
            if isinstance(outcome, LeftOut):
                left_out.append(outcome)
            else:
                found[row["member"], row["epoch"]] = outcome
    keys = [(row["member"], row["epoch"]) for row in selection.rows]
    return Curvatures(tuple(found[key] for key in keys if key in found), setting, tuple(left_out))


def _measured(
    recipe: Recipe, rows: Sequence[Row], selection: Selection, places: Places, setting: CurvatureSetting, device: str
) -> Iterator[tuple[Row, Curvature | LeftOut]]:
    """Yield checkpoints that are evaluated alike with their curvature, or why there is none."""
    task = recipe.hyperparameters.task
    if task != "supervised":
        yield from ((row, _left_out(row, f"its task is {task}, which has no cross-entropy")) for row in rows)
        return
    images = places.labelled(recipe)
    shown = {"fingerprint": images.fingerprint, **vars(setting), "precision": "float32"}
    cache = Cache(selection.zoo, "curvature", VERSION, {**inference.evaluation(recipe), "shown": shown})
    shapes: Mapping[str, Shape] = dict.fromkeys(_NUMBERS, ()) | dict.fromkeys(_SPECTRUM, (setting.top,))
    batches: Batches = []
    for row in rows:
        found = cache.get(row["sha256"], shapes)
        if found is None:
            batches = batches or _batches(recipe, images, setting, device)
            found = _compute(recipe, row, selection, batches, setting, device)
            if isinstance(found, LeftOut):
                yield row, found
                continue
            cache.put(row["sha256"], found)
        yield row, _curvature(row, found)


def _batches(recipe: Recipe, images: Images, setting: CurvatureSetting, device: str) -> Batches:
    """Return the sampled images [B, 3, S, S] as the recipe treats test images, and their labels [B]."""
    split = inference.split_of(images, setting.split, device)
    chosen = sample(len(split), setting.images, setting.seed, setting.split)
    pipeline = inference.pipeline_of(recipe, images.classes)
    size = max(1, inference.TOKENS[device] // tokens(recipe.architecture))
    parts = [split.gather(chosen[start : start + size]) for start in range(0, len(chosen), size)]
    return [(pipeline.eval_batch(pixels), labels) for pixels, labels in parts]


def _compute(
    recipe: Recipe, row: Row, selection: Selection, batches: Batches, setting: CurvatureSetting, device: str
) -> Arrays | LeftOut:
    try:
        weights = inference.read_row(selection.checkpoint(row), Layout.of(recipe.architecture))
    except (IntegrityError, InputError) as error:
        return _left_out(row, reason(error, selection.zoo), damaged=True)
    if setting.top >= len(weights):
        return _left_out(row, f"it has {len(weights)} parameters and so fewer than {setting.top + 1} eigenvalues")
    operator = hessian(weights.to(device), recipe.architecture, batches)
    loss, slope = loss_and_slope(operator)
    if not math.isfinite(loss + slope):
        return _left_out(row, "its cross-entropy or the gradient is not finite")
    matrix = operator.to_scipy()
    try:
        largest = top(matrix, setting.top, setting.seed)
    except SpectrumError as error:
        return _left_out(row, str(error).rstrip("."))
    estimate, error = trace(matrix, largest, setting.probes, setting.seed)
    found = {
        "loss": loss,
        "gradient_norm": slope,
        "eigenvalues": largest.values,
        "eigenvalue_errors": largest.errors,
        "trace": estimate,
        "trace_error": error,
        "images": sum(len(labels) for _, labels in batches),
        "parameters": len(weights),
    }
    return {name: np.asarray(value) for name, value in found.items()}


def _curvature(row: Row, arrays: Arrays) -> Curvature:
    plain: dict[str, Any] = {name: array.tolist() for name, array in arrays.items()}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return Curvature(row["member"], row["epoch"], **plain)


def _left_out(row: Row, why: str, damaged: bool = False) -> LeftOut:
    return LeftOut(name_of(row), why, damaged)
