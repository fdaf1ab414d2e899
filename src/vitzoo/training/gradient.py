"""The gradient of one step of a population, in micro-batches that add up to the whole batch.

Members are independent, so a chunk of members writes its own rows. Images of one member are independent where the
objective scores each by itself; their gradients add up. Where images are compared with one another (contrastive), the
outputs of all of them are computed first, then the loss and its gradient with respect to the outputs, and then that is
carried back chunk by chunk: the gradient cache of Gao et al. 2021 (arXiv 2101.06983), at the price of a second forward
pass. Sums are kept in the precision of the weights that are kept, so the effective batch is that of the recipe.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens
from vitzoo.model.vit import forward
from vitzoo.training.chunks import Chunks, chunks
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

    def part(self, members: slice, images: slice) -> "Drawn":
        """Return what these members see of these images; nothing is left to be looked up by stream."""
        streams = None if self.streams is None else self.streams[members]
        which = slice(None) if streams is None else streams
        keep = None if self.keep is None else self.keep[:, :, which, images]
        return Drawn(self.batch.part(streams, images), keep, None)


class Gradient(NamedTuple):
    """Summed loss [K] and right answers [K] (float64), and the gradient [K, P] of each member's mean loss."""

    loss: Tensor
    right: Tensor
    grad: Tensor


@dataclass(frozen=True)
class Problem:
    """What is minimised: the model's shape, its layout in a row, the objective, and how it is computed."""

    arch: Backbone
    layout: Layout
    objective: Objective
    compute: Compute


def gradient(flat: Tensor, problem: Problem, drawn: Drawn) -> Gradient:
    """Differentiate the members' mean losses on a batch with respect to ``flat`` [K, P].

    The result does not depend on ``compute.micro`` but for rounding. Nothing is changed in place, so a step that fails
    can be tried again.
    """
    cut = chunks(len(flat), drawn.images, tokens(problem.arch), problem.compute.micro)
    if len(cut.images) > 1 and not problem.objective.separable:
        return _cached(flat, problem, drawn, cut)
    return _direct(flat, problem, drawn, cut)


def _direct(flat: Tensor, problem: Problem, drawn: Drawn, cut: Chunks) -> Gradient:
    """Score every chunk by itself."""
    loss = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    found = Gradient(loss, torch.zeros_like(loss), torch.empty_like(flat))
    for members in cut.members:
        weights = leaves(flat[members], problem)
        for number, images in enumerate(cut.images):
            losses, rights, grads = forward_backward(weights, problem, drawn.part(members, images), drawn.images)
            found.loss[members] += losses
            found.right[members] += rights
            _accumulate(found.grad[members], grads, problem.layout, first=number == 0)
    return found


def _cached(flat: Tensor, problem: Problem, drawn: Drawn, cut: Chunks) -> Gradient:
    """Score the outputs of all chunks together, then carry the loss back chunk by chunk."""
    losses, rights, grad = [], [], torch.empty_like(flat)
    for members in cut.members:
        weights = leaves(flat[members], problem)
        parts = [drawn.part(members, images) for images in cut.images]
        with torch.no_grad():
            outputs = torch.cat([outputs_of(weights, problem, each) for each in parts], dim=1)
        loss, right, pull = score_outputs(outputs, problem, drawn.part(members, slice(None)).batch)
        for number, (images, each) in enumerate(zip(cut.images, parts, strict=True)):
            grads = backward(weights, problem, each, pull[:, images])
            _accumulate(grad[members], grads, problem.layout, first=number == 0)
        losses.append(loss.double().sum(1))
        rights.append(right.double().sum(1))
    return Gradient(torch.cat(losses), torch.cat(rights), grad)


def leaves(flat: Tensor, problem: Problem) -> Weights:
    """Return the tensors of members ``flat`` [k, P] as the model sees them, each to be differentiated by itself.

    By itself: the gradient of a view of one matrix would be that whole matrix, once more.
    """
    views = problem.layout.views(flat.detach().to(problem.compute.dtype))
    return {name: view.detach().requires_grad_() for name, view in views.items()}


def outputs_of(weights: Weights, problem: Problem, part: Drawn) -> Tensor:
    """Return the outputs [k, n, C] of members for a part of a batch."""
    return forward(weights, part.batch.images.to(problem.compute.dtype), problem.arch, part.keep)


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


def _accumulate(rows: Tensor, grads: Sequence[Tensor], layout: Layout, first: bool) -> None:
    """Put a chunk's gradients into its ``rows`` [k, P], or add them to what other images left there."""
    views = list(layout.views(rows).values())
    put = torch.ops.aten._foreach_copy_ if first else torch.ops.aten._foreach_add_.List
    put(views, list(grads))
