"""What a method of merging is: a function of models, and a declaration of what it needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.errors import InputError
from vitzoo.measures.scoring import Ground
from vitzoo.model.layout import Layout

Ask = Callable[[int], Ground]  # for so many images


def no_images(count: int) -> Ground:
    """Say that a method looked at images without declaring it."""
    raise InputError(f"There are no {count} images to look at.")


@dataclass(frozen=True, eq=False)
class Ingredients:
    """Models to be merged, and what a method may look at.

    models: rows [K, P], float32. epochs: that of each. parent: the row [P] all were fine-tuned from, with the mean of
    their heads in place of its own, because it was made for another task. held_out, training: images by number.
    """

    recipe: Recipe
    models: Tensor
    epochs: tuple[int, ...] = ()
    parent: Tensor | None = None
    held_out: Ask = no_images
    training: Ask = no_images
    tell: Callable[[int, int], None] = lambda done, total: None

    @property
    def layout(self) -> Layout:
        """Names and shapes of a row's tensors."""
        return Layout.of(self.recipe.architecture)

    def origin(self) -> Tensor:
        """Return the parent's row; InputError if there is none, which is checked before a method runs."""
        if self.parent is None:
            raise InputError("These models have no common parent.")
        return self.parent


@dataclass(frozen=True, eq=False)
class Merged:
    """A merged model [P], and what a method chose.

    shares: each ingredient's, where the model is a weighted mean; 0 is not in it.
    """

    model: Tensor
    shares: list[float] | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """A setting of a method: its type, its default and what it means."""

    kind: type
    default: Any
    what: str


@dataclass(frozen=True)
class Method:
    """A method, in a line, and what it needs.

    trajectory: the epochs of one member, rather than models side by side. parent: that all were fine-tuned from one
    checkpoint. held_out: images to choose by. least: models.
    """

    run: Callable[..., Merged]
    what: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    trajectory: bool = False
    parent: bool = False
    held_out: bool = False
    least: int = 2
