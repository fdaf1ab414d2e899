"""The contract of an objective: make a batch from raw images, and score a population's outputs on it."""

from abc import ABC, abstractmethod
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
    """What the model sees and what it is held against: images [N, 3, S, S], soft targets [N, C] or None, labels [N]."""

    images: Tensor
    targets: Tensor | None
    labels: Tensor


class Objective(ABC):
    """A task of pre-training or fine-tuning; ``views`` is how many images the model sees per image of the data."""

    views: int

    def __init__(self, recipe: Recipe, pipeline: Pipeline):
        self.hyper = recipe.hyperparameters
        self.pipeline = pipeline

    @property
    def test_batch_size(self) -> int:
        """Images evaluated at a time; it must not change the score, so larger is only faster."""
        return max(256, self.hyper.batch_size)

    @abstractmethod
    def train_batch(self, images: Tensor, labels: Tensor, key: Key) -> Batch:
        """Augment uint8 images [B, 3, H, W] with the draws that belong to ``key``."""

    @abstractmethod
    def test_batch(self, images: Tensor, labels: Tensor, key: Key) -> Batch:
        """Prepare uint8 images for evaluation."""

    @abstractmethod
    def score(self, outputs: Tensor, batch: Batch) -> Score:
        """Score outputs [K, N, C] of any dtype."""
