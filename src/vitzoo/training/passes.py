"""One pass forward and back through a chunk of a batch: pure functions from tensors to tensors.

What a chunk's pass does depends on shapes and settings only, never on values, so it can be compiled or recorded once
and repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.model.layout import Layout
from vitzoo.model.vit import forward
from vitzoo.training.compute import Compute
from vitzoo.training.objectives import Batch, Objective

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Drawn:
    """A batch as drawn: S streams of images, stochastic depth [depth, 2, S, N] or None, and who sees which stream.

    ``streams`` [K] names each member's stream; None where all see the only one.
    """

    batch: Batch
    keep: Tensor | None
    streams: Tensor | None

    @property
    def images(self) -> int:
        """N, the images (views) that each member sees."""
        return self.batch.images.shape[1]

    def span(self, images: slice) -> "Drawn":
        """Return the same for a span of the images."""
        return Drawn(self.batch.part(None, images), None if self.keep is None else self.keep[..., images], self.streams)

    def part(self, members: slice, images: slice) -> "Drawn":
        """Return what these members see of these images; nothing is left to be looked up by stream."""
        streams = None if self.streams is None else self.streams[members]
        which = slice(None) if streams is None else streams
        keep = None if self.keep is None else self.keep[:, :, which, images]
        return Drawn(self.batch.part(streams, images), keep, None)


@dataclass(frozen=True)
class Problem:
    """What is minimised: the model's shape, its layout in a row, the objective, and how it is computed."""

    arch: Backbone
    layout: Layout
    objective: Objective
    compute: Compute


def leaves(flat: Tensor, problem: Problem) -> Weights:
    """Return the tensors of members ``flat`` [k, P] as the model sees them, each to be differentiated by itself.

    By itself: the gradient of a view of one matrix would be that whole matrix, once more.
    """
    views = problem.layout.views(flat.detach().to(problem.compute.dtype))
    return {name: view.detach().requires_grad_() for name, view in views.items()}


def outputs_of(weights: Weights, problem: Problem, part: Drawn) -> Tensor:
    """Return the outputs [k, n, C] of members for a part of a batch."""
    return forward(
        weights, part.batch.images.to(problem.compute.dtype), problem.arch, part.keep, problem.compute.kernels
    )


def forward_backward(
    weights: Weights, problem: Problem, part: Drawn, images: int
) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
    """Return summed loss [k], right answers [k] and gradients of a part of a batch of ``images``: tensors to tensors.

    The gradients are those of the summed loss over ``images``, so those of all parts add up to that of the mean.
    """
    score = problem.objective.score(outputs_of(weights, problem, part), part.batch)
    grads = torch.autograd.grad(score.loss.sum() / images, list(weights.values()))
    return score.loss.detach().double().sum(1), score.right.double().sum(1), grads


def score_outputs(outputs: Tensor, problem: Problem, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return loss [k, N], right answers [k, N], and the gradient of the mean losses by the outputs [k, N, C]."""
    outputs = outputs.detach().requires_grad_()
    score = problem.objective.score(outputs, batch)
    (pull,) = torch.autograd.grad(score.loss.sum() / outputs.shape[1], outputs)
    return score.loss.detach(), score.right, pull


def backward(weights: Weights, problem: Problem, part: Drawn, pull: Tensor) -> Sequence[Tensor]:
    """Return the gradients of a part of a batch, given those by its outputs [k, n, C]."""
    outputs = outputs_of(weights, problem, part)
    return torch.autograd.grad(outputs, list(weights.values()), pull)
