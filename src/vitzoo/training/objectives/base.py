"""The contract of an objective: make a batch from raw images, and score a population's outputs on it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.pipeline import Key, Pipeline


@dataclass(frozen=True)
class Score:
    """Per member and image: loss [K, N] (float32) and whether the prediction is right [K, N] (bool)."""

    loss: Tensor
    right: Tensor


@dataclass(frozen=True)
class Batch:
    """What the members see and what they are held against.

    images [S, N, 3, H, W]; soft targets [S, N, C] or None; labels [S, N]. S is the number of batch streams.
    """

    images: Tensor
    targets: Tensor | None
    labels: Tensor

    def part(self, streams: Tensor | None, images: slice) -> "Batch":
        """Return a span of the images, with streams repeated by their indices [K] so that there is one a member."""
        where = (slice(None) if streams is None else streams, images)
        targets = None if self.targets is None else self.targets[where]
        return Batch(self.images[where], targets, self.labels[where])


class Objective(ABC):
    """A task of pre-training or fine-tuning.

    ``separable`` says whether an image's score depends on its own outputs alone, so that batches may be cut anywhere.
    """

    separable: bool

    def __init__(self, recipe: Recipe, pipeline: Pipeline):
        self.hyper = recipe.hyperparameters
        self.pipeline = pipeline

    @property
    def test_batch_size(self) -> int:
        """Images evaluated at a time; it must not change the score, so larger is only faster."""
        return max(256, self.hyper.batch_size)

    @abstractmethod
    def train_batch(self, images: Tensor, labels: Tensor, keys: Sequence[Key]) -> Batch:
        """Augment uint8 images [S·B, 3, H, W], B for each key in turn, with the draws that belong to the keys."""

    @abstractmethod
    def test_batch(self, images: Tensor, labels: Tensor, key: Key) -> Batch:
        """Prepare uint8 images [B, 3, H, W] for evaluation, the same for all members (S = 1)."""

    @abstractmethod
    def score(self, outputs: Tensor, batch: Batch) -> Score:
        """Score outputs [K, N, C] of any dtype."""
