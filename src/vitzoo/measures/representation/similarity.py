"""How similarly the members of a zoo represent the same images: debiased linear CKA between all their layers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset
from vitzoo.data.images import Images
from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures import inference
from vitzoo.measures.cache import Arrays, Cache
from vitzoo.measures.inference import Places
from vitzoo.measures.representation.cka import minibatches, signatures, similarity_matrix
from vitzoo.measures.representation.features import features, layers
from vitzoo.measures.sample import sample
from vitzoo.measures.selection import LeftOut, Row, Selection
from vitzoo.measures.tell import Tell, silent
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens as tokens_of

VERSION = 1
SUPERVISED_FIRST = ("finetuning", "pretraining")  # the stage whose data set is shown, if nobody says which


@dataclass(frozen=True)
class Place:
    """A row of a similarity matrix: a member, its epoch and a layer, as ``features.layers`` names it."""

    member: str
    epoch: int
    layer: str


@dataclass(frozen=True)
class Setting:
    """What a similarity depends on besides checkpoints: the images shown, and how features are read and compared."""

    images: int = 512
    split: str = "test"
    tokens: str = "class"
    batch: int = 128
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Similarity:
    """CKA between representations of the same images.

    places: what the rows are, members in the order of the selection, layers first to last.
    matrix: [R, R], symmetric, 1 on the diagonal; at most 1, around 0 (also below) for unrelated representations; NaN
        where a layer's features do not differ between images.
    setting: what was asked for; ``images`` in it is the number that was shown.
    dataset: the source of the images.
    """

    places: tuple[Place, ...]
    matrix: np.ndarray
    setting: Setting
    dataset: str
    left_out: tuple[LeftOut, ...] = ()

    def at(self, layer: str) -> tuple[list[Place], np.ndarray]:
        """Return the rows of one layer and the similarity [M, M] between them; InputError if no member has it."""
        found = [i for i, place in enumerate(self.places) if place.layer == layer]
        if not found:
            known = ", ".join(dict.fromkeys(place.layer for place in self.places)) or "none"
            raise InputError(f"No member has features at {layer!r}; there are: {known}.")
        return [self.places[i] for i in found], self.matrix[np.ix_(found, found)]


def similarity(
    selection: Selection,
    places: Places,
    setting: Setting = Setting(),
    data_of: str | None = None,
    device: str = "cpu",
    tell: Tell = silent,
) -> Similarity:
    """Compare the representations of all checkpoints of a selection, layer by layer.

    All are shown the same images, each resized and normalised as its own recipe does. They come from the data set of
    the member ``data_of``; by default, from the one that all fine-tuned members of the selection share, or all
    pre-trained ones if there are no others. Members of every task and architecture can be compared.

    Signatures are cached by the checkpoint's digest. Checkpoints with damaged bytes are left out.
    InputError if there are several data sets to choose from or a setting is impossible; DataError if it is not at hand.
    """
    groups = list(inference.groups(selection))
    dataset = _dataset(selection, groups, data_of)
    shown = [_Shown(recipe, rows, selection, places, dataset, setting, device) for recipe, rows in groups]
    total, done = sum(len(each.rows) for each in shown), 0
    for each in shown:
        for row in each.run():
            done += 1
            tell(done, total, row["member"])
    return _joined(selection, shown, setting, dataset)


def _dataset(selection: Selection, groups: Sequence[tuple[Recipe, list[Row]]], data_of: str | None) -> Dataset:
    """Return the data set that is shown to everybody."""
    if data_of is not None:
        return inference.recipe_of(selection.zoo.member(data_of)).dataset
    for stage in SUPERVISED_FIRST:
        found = {recipe.dataset.model_dump_json(): recipe.dataset for recipe, _ in groups if recipe.stage == stage}
        if len(found) > 1:
            names = ", ".join(dict.fromkeys(repr(dataset.source) for dataset in found.values()))
            raise InputError(
                f"The members were trained on {len(found)} data sets ({names}), and similarity needs the same images "
                "for all. Name a member whose data set is to be shown, or choose fewer members."
            )
        if found:
            return next(iter(found.values()))
    raise InputError("There is no finished member to compare. Grow the zoo, or choose other members.")


class _Shown:
    """Checkpoints that see the images alike, and their signatures [L, Q] by digest."""

    def __init__(
        self,
        recipe: Recipe,
        rows: Sequence[Row],
        selection: Selection,
        places: Places,
        dataset: Dataset,
        setting: Setting,
        device: str,
    ) -> None:
        self.recipe, self.rows, self.selection, self.setting, self.device = recipe, rows, selection, setting, device
        self.layers = layers(recipe.architecture, setting.tokens)
        self.images = places.images(recipe.model_copy(update={"dataset": dataset}))
        self.layout = Layout.of(recipe.architecture)
        self.found: dict[str, np.ndarray] = {}
        self.left_out: list[LeftOut] = []
        shown = {"fingerprint": self.images.fingerprint, **vars(setting), "precision": "float32"}
        self.cache = Cache(selection.zoo, "cka", VERSION, {**inference.evaluation(recipe), "shown": shown})

    @property
    def count(self) -> int:
        """Number of images shown."""
        labels = self.images.y_test if self.setting.split == "test" else self.images.y_train
        return min(self.setting.images, len(labels))

    def run(self) -> Iterator[Row]:
        """Find all signatures, yielding every row as it is done."""
        left = []
        for row in self.rows:
            cached = self.cache.get(row["sha256"])
            if cached is None:
                left.append(row)
            else:
                self.found[row["sha256"]] = cached["signatures"]
                yield row
        if left:
            yield from self._compute(left)

    def _compute(self, rows: Sequence[Row]) -> Iterator[Row]:
        shown, per_image = _prepared(self.recipe, self.images, self.setting, self.device), tokens_of(self.recipe.architecture)
        size = max(1, inference.TOKENS[self.device] // (self.setting.batch * per_image))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            sound = list(self._sound(part))
            if sound:
                params = self.layout.views(torch.stack([weights for _, weights in sound]).to(self.device))
                arch, tokens = self.recipe.architecture, self.setting.tokens
                found = signatures(features(params, images, arch, tokens) for images in shown)
                for (row, _), one in zip(sound, found.float().cpu().numpy(), strict=True):
                    self._keep(row, {"signatures": one})
            yield from part

    def _sound(self, rows: Sequence[Row]) -> Iterator[tuple[Row, torch.Tensor]]:
        for row in rows:
            try:
                yield row, inference.read_row(self.selection.checkpoint(row), self.layout)
            except (IntegrityError, InputError) as error:
                what = f"{row['member']}, epoch {row['epoch']}"
                self.left_out.append(LeftOut(what, str(error).rstrip("."), damaged=True))

    def _keep(self, row: Row, arrays: Arrays) -> None:
        self.cache.put(row["sha256"], arrays)
        self.found[row["sha256"]] = arrays["signatures"]


def _prepared(recipe: Recipe, images: Images, setting: Setting, device: str) -> list[torch.Tensor]:
    """Return the sampled images as a recipe sees them, in minibatches [1, n, 3, S, S]."""
    split = inference.split_of(images, setting.split, device)
    chosen = sample(len(split), setting.images, setting.seed, setting.split)
    pipeline = inference.pipeline_of(recipe, images.classes)
    parts = [chosen[part] for part in minibatches(len(chosen), setting.batch)]
    return [pipeline.eval_batch(split.gather(part)[0]).unsqueeze(0) for part in parts]


def _joined(selection: Selection, shown: Sequence[_Shown], setting: Setting, dataset: Dataset) -> Similarity:
    """Put the signatures of all groups in the selection's order and multiply."""
    ...
