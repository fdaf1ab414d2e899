"""How similarly the members of a zoo represent the same images: debiased linear CKA between all their layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset
from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.inference import Places
from vitzoo.measures.plain import finite
from vitzoo.measures.representation.cka import similarity_matrix
from vitzoo.measures.representation.features import layers
from vitzoo.measures.representation.signing import SimilaritySetting, sign
from vitzoo.measures.selection import LeftOut, Row, Selection
from vitzoo.measures.tell import Tell, silent
from vitzoo.zoo.layout import FINETUNING, MERGING, PRETRAINING


@dataclass(frozen=True)
class Representation:
    """What a row of a similarity matrix is: a member, its epoch and a layer as ``features.layers`` names it."""

    member: str
    epoch: int
    layer: str


@dataclass(frozen=True, eq=False)
class Similarity:
    """CKA between representations of the same images.

    rows: what the matrix is over, members in the order of the selection, layers first to last.
    matrix: [R, R], symmetric, 1 on the diagonal; at most 1, around 0 (also below) for unrelated representations; NaN
        where a layer's features do not differ between images.
    dataset: the source of the images that were shown.
    setting: how many were asked for and how they were compared.
    """

    rows: tuple[Representation, ...]
    matrix: np.ndarray
    dataset: str
    setting: SimilaritySetting
    left_out: tuple[LeftOut, ...] = ()

    def at(self, layer: str) -> tuple[list[Representation], np.ndarray]:
        """Return the rows of one layer and the similarity [M, M] between them; InputError if no member has it."""
        found = [i for i, row in enumerate(self.rows) if row.layer == layer]
        if not found:
            known = ", ".join(dict.fromkeys(row.layer for row in self.rows)) or "none"
            raise InputError(f"No member has features at {layer!r}; there are: {known}.")
        return [self.rows[i] for i in found], self.matrix[np.ix_(found, found)]

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data; what is not a number becomes ``None``."""
        matrix = finite(self.matrix.tolist())
        rows = [vars(row) for row in self.rows]
        setting, left_out = vars(self.setting), [vars(each) for each in self.left_out]
        return {"dataset": self.dataset, **setting, "rows": rows, "matrix": matrix, "left_out": left_out}


def similarity(
    selection: Selection,
    places: Places,
    setting: SimilaritySetting = SimilaritySetting(),
    data_of: str | None = None,
    device: str = "cpu",
    tell: Tell = silent,
) -> Similarity:
    """Compare the representations of all checkpoints of a selection, layer by layer.

    All are shown the same images in the same normalisation, resized as each one's recipe does. They come from the data
    set of the member ``data_of``; by default, from the one that all fine-tuned members of the selection share, or all
    pre-trained ones if there are no others. Members of every task and architecture can be compared.

    Signatures are cached by the checkpoint's digest. Checkpoints with damaged bytes are left out.
    InputError if there are several data sets to choose from or the setting is impossible; DataError if the images are
    not at hand.
    """
    left_out, done = list(selection.left_out), 0
    groups = inference.groups(selection, left_out)
    dataset = _dataset(selection, groups, data_of)
    signed: dict[tuple[str, int], tuple[list[str], np.ndarray]] = {}
    for recipe, rows in groups:
        names = layers(recipe.architecture, setting.tokens)
        shown = recipe.model_copy(update={"dataset": dataset})
        for row, found in sign(shown, rows, selection, places.images(shown), setting, device):
            done += 1
            tell(done, len(selection.rows), row["member"])
            if isinstance(found, LeftOut):
                left_out.append(found)
            else:
                signed[row["member"], row["epoch"]] = names, found
    return _compare(selection, signed, dataset.source, setting, left_out)


def _dataset(selection: Selection, groups: Sequence[tuple[Recipe, list[Row]]], data_of: str | None) -> Dataset:
    """Return the data set whose images are shown to everybody."""
    if data_of is not None:
        return inference.recipe_of(selection.zoo.member(data_of)).dataset
    for stage in (FINETUNING, MERGING, PRETRAINING):
        # A group may hold both stages, so the rows are asked, not the recipe.
        there = [recipe.dataset for recipe, rows in groups if any(row["stage"] == stage for row in rows)]
        found = {dataset.model_dump_json(): dataset for dataset in there}
        if len(found) > 1:
            names = ", ".join(dict.fromkeys(repr(dataset.source) for dataset in found.values()))
            raise InputError(
                f"The members were trained on {len(found)} data sets ({names}), but similarity needs the same images "
                "for all. Name a member whose data set is to be shown, or choose fewer members."
            )
        if found:
            return next(iter(found.values()))
    raise InputError("There is no member to compare. Grow the zoo, or choose other members.")


def _compare(
    selection: Selection,
    signed: dict[tuple[str, int], tuple[list[str], np.ndarray]],
    dataset: str,
    setting: SimilaritySetting,
    left_out: Sequence[LeftOut],
) -> Similarity:
    rows, stacked = [], []
    for row in selection.rows:
        key = row["member"], row["epoch"]
        if key in signed:
            names, found = signed[key]
            rows += [Representation(*key, name) for name in names]
            stacked.append(found)
    matrix = similarity_matrix(np.concatenate(stacked)) if stacked else np.zeros((0, 0))
    return Similarity(tuple(rows), matrix, dataset, setting, tuple(left_out))
