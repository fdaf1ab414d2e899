"""Models as functions and images to show them, for methods that judge by what models make of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.inference import Places
from vitzoo.measures.sample import sample
from vitzoo.measures.scopes import is_head

if TYPE_CHECKING:
    from vitzoo.lineage.truth import Row
    from vitzoo.zoo import Zoo


@dataclass(frozen=True, eq=False)
class Shown:
    """Backbones [n, *shape] under timm's names, images [1, B, 3, S, S], and the backbones' architecture."""

    params: Mapping[str, Tensor]
    images: Tensor
    architecture: Backbone


def shown(zoo: "Zoo", rows: Sequence["Row"], places: Places, count: int) -> Shown:
    """Read checkpoints, and test images of the data set that the fine-tuned ones among them were trained on.

    InputError if there are none, or several data sets; DataError if the images are not at hand.
    """
    names = dict.fromkeys(row["member"] for row in rows if row["parent_member"] is not None)
    recipes = [inference.recipe_of(zoo.member(name)) for name in names]
    sources = {recipe.dataset.model_dump_json() for recipe in recipes}
    if len(sources) != 1:
        raise InputError(f"The fine-tuned models were trained on {len(sources)} data sets; they must share one.")
    recipe = recipes[0]
    found = places.images(recipe)
    split = inference.split_of(found, "test")
    which = sample(len(split), count, 0, "test")
    images, _ = split.gather(which)
    prepared = inference.pipeline_of(recipe, found.classes).eval_batch(images).unsqueeze(0)
    return Shown(_backbones(zoo, rows), prepared, recipe.architecture)


def _backbones(zoo: "Zoo", rows: Sequence["Row"]) -> dict[str, Tensor]:
    stacked: dict[str, list[np.ndarray]] = {}
    for row in rows:
        for name, tensor in zoo.member(row["member"]).checkpoint(row["epoch"]).tensors().items():
            if not is_head(name):
                stacked.setdefault(name, []).append(tensor)
    return {name: torch.from_numpy(np.stack(tensors)) for name, tensors in stacked.items()}
