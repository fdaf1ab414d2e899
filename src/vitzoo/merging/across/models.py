"""Models to be brought together, and what ways of doing that may look at; what they share is computed once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.data.device import DeviceSplit
from vitzoo.data.pipeline import Pipeline
from vitzoo.measures.sample import sample
from vitzoo.merging.across.evidence import Evidence, gather
from vitzoo.merging.across.learned import Loss
from vitzoo.merging.symmetry.balance import balancing, canonical
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.residual import fold
from vitzoo.model.native.block import usable
from vitzoo.model.vit import Kernels, forward
from vitzoo.rng import stream

Params = Mapping[str, Tensor]
BATCH = 128  # images a step, where something is learned


@dataclass(frozen=True)
class Lessons:
    """Training images, prepared as for evaluation: all of them, or some to look at, or batches with labels."""

    split: DeviceSplit
    pipeline: Pipeline

    def images(self, count: int, seed: int = 0) -> Tensor:
        """Return ``count`` images [N, 3, S, S], or all, if there are fewer."""
        chosen = sample(len(self.split), count, seed, "train")
        return self.pipeline.eval_batch(self.split.gather(chosen)[0])

    def batches(self, steps: int, seed: int = 0, size: int = BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images [B, 3, S, S] and labels [B], drawn anew for each step."""
        random = stream(seed, "lessons")
        for _ in range(steps):
            images, labels = self.split.gather(random.permutation(len(self.split))[:size])
            yield self.pipeline.eval_batch(images), labels


@dataclass(eq=False)
class Models:
    """Models of one architecture, as rows' tensors under timm's names, and lessons; the first is the reference.

    ``count``: images that activations are looked at on.
    """

    raw: Sequence[Params]
    arch: Backbone
    lessons: Lessons
    count: int = 400

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        return self.arch.heads

    @cached_property
    def images(self) -> Tensor:
        """Return the images [N, 3, S, S] that activations are looked at on."""
        return self.lessons.images(self.count)

    @cached_property
    def exact(self) -> list[dict[str, Tensor]]:
        """Return the models in float64, canonical: what symmetries act on."""
        return [exact(model) for model in self.raw]

    @cached_property
    def balancing(self) -> list[Symmetry]:
        """Return what balances each model's heads."""
        return [balancing(model, self.heads) for model in self.exact]

    @cached_property
    def prepared(self) -> list[dict[str, Tensor]]:
        """Return the models canonical and balanced, in float64."""
        return [each.apply(model) for each, model in zip(self.balancing, self.exact, strict=True)]

    @cached_property
    def evidence(self) -> list[Evidence]:
        """Return how the reference's units go with those of each other model, all ``prepared``."""
        return self._gathered(self.prepared)

    @cached_property
    def evidence_as_is(self) -> list[Evidence]:
        """Return how the reference's units go with those of each other model, heads as they are."""
        return self._gathered([fold(model) for model in self.raw])

    def _gathered(self, models: Sequence[Params]) -> list[Evidence]:
        """Run models in float32: what is added up of it is in float64, and images are too few for more."""
        first, *others = ({name: tensor.float() for name, tensor in model.items()} for model in models)
        return gather(first, others, [self.images], self.heads)

    def outputs(self, params: Params, images: Tensor) -> Tensor:
        """Return a model's outputs [N, C] for images [N, 3, S, S], float32; differentiable.

        They are computed as in training: by our kernels and in bf16 where the machine has them.
        """
        kernels, dtype = self._computing
        stacked = {name: tensor[None].to(dtype) for name, tensor in params.items()}
        return forward(stacked, images[None].to(dtype), self.arch, kernels=kernels)[0].float()

    @cached_property
    def _computing(self) -> tuple[Kernels, torch.dtype]:
        for dtype in (torch.bfloat16, torch.float32):
            if usable(self.arch, dtype):
                return "native", dtype
        return "torch", torch.float32

    @property
    def by_labels(self) -> Loss:
        """Return the cross-entropy of a model with labels."""
        return lambda params, images, labels: F.cross_entropy(self.outputs(params, images), labels)

    @property
    def by_teachers(self) -> Loss:
        """Return the cross-entropy of a model with what all models predict in the mean; labels are not looked at."""

        def loss(params: Params, images: Tensor, _: Tensor) -> Tensor:
            with torch.no_grad():
                wanted = torch.stack([F.softmax(self.outputs(model, images), dim=1) for model in self.raw]).mean(dim=0)
            return F.cross_entropy(self.outputs(params, images), wanted)

        return loss


def exact(params: Params) -> dict[str, Tensor]:
    """Return a model in float64, canonical."""
    return canonical({name: tensor.double() for name, tensor in params.items()})
