"""Images by which methods choose: held out where there are such, and never the test split.

Where a data set was limited by ``train_limit``, the rest of its training split was seen by nobody. Elsewhere a fixed
part of the training images must do, which members have seen, so that what is chosen by it may suit them too well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset
from vitzoo.data.device import DeviceSplit
from vitzoo.data.images import Images
from vitzoo.data.subset import balanced
from vitzoo.measures.inference import Places
from vitzoo.measures.scoring import Ground

SHARE = 0.1  # of the training images, where none are held out
#: Fields of a data set that change neither its training images nor their order.
FREE: dict[str, Any] = dict.fromkeys(("mean", "std", "cache_size", "classes", "train_limit", "test_limit"), True)


@dataclass(frozen=True)
class Chosen:
    """Images to choose by, and whether some model was trained on them."""

    ground: Ground
    seen: bool

    @property
    def note(self) -> str:
        """What a reader should know of the images, a whole sentence."""
        count = len(self.ground.split)
        if not self.seen:
            return f"Chosen by {count:,} training images that no model was trained on."
        return (
            f"Chosen by {count:,} training images that the models were trained on, because the whole training split "
            "was used; no image is held out."
        )


def held_out(
    recipe: Recipe, trained_on: Sequence[Dataset], places: Places, most: int = 2000, device: str = "cpu"
) -> Chosen:
    """Return at most so many images, the classes as even as they can be, the same ones every time.

    ``recipe`` says whose images and how they are prepared; ``trained_on`` are the data sets of all models that must not
    have seen them, and of all that these descend from. DataError if the images are not at hand.
    """
    limits = [dataset.train_limit for dataset in trained_on if _same(dataset, recipe.dataset)]
    if (used := max((limit for limit in limits if limit is not None), default=0)) and None not in limits:
        whole = recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"train_limit": None})})
        images = places.labelled(whole)
        left = np.setdiff1d(np.arange(len(images.y_train)), balanced(images.y_train, used, "limit", "train"))
        if len(left):
            return Chosen(_ground(recipe, images, left, most, device), seen=False)
    images = places.labelled(recipe)
    everything = np.arange(len(images.y_train))
    part = min(most, max(images.classes, int(SHARE * len(everything))))
    return Chosen(_ground(recipe, images, everything, part, device), seen=True)


def training(recipe: Recipe, places: Places, most: int, device: str = "cpu") -> Ground:
    """Return at most so many training images, the classes as even as they can be, the same ones every time."""
    images = places.labelled(recipe)
    return _ground(recipe, images, np.arange(len(images.y_train)), most, device)


def _ground(recipe: Recipe, images: Images, among: np.ndarray, most: int, device: str) -> Ground:
    chosen = among[balanced(images.y_train[among], most, "held out")]
    return Ground(recipe, images.classes, DeviceSplit(images.x_train[chosen], images.y_train[chosen], device))


def _same(a: Dataset, b: Dataset) -> bool:
    """Say whether two data sets draw their training images from the same ones."""
    some, other = (dataset.model_dump(exclude=FREE | {"fractals": {"live"}}) for dataset in (a, b))
    return some == other
