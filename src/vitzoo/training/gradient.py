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
from vitzoo.training.chunks import Chunks
from vitzoo.training.compute import Compute
from vitzoo.training.fitting import Fitting
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


def gradient(flat: Tensor, problem: Problem, drawn: Drawn, fitting: Fitting) -> Gradient:
    """Differentiate the members' mean losses on a batch with respect to ``flat`` [K, P].

    The result does not depend on how ``fitting`` cuts the batch, but for rounding. Nothing is changed in place, so what
    does not fit into memory is tried again in smaller chunks. In a team each process computes its share of the images:
    the sums of scores are those of the share, the gradient is that of the whole batch.
    """
    team, images = problem.compute.team, drawn.images
    mine = drawn.span(team.share(images))
    size = (len(flat), mine.images, tokens(problem.arch))
    found = None
    if team.size == 1 or problem.objective.separable:
        found = fitting.run(lambda cut: _direct(flat, problem, mine, images, cut), *size)
    found = found or _cached(flat, problem, drawn, fitting)
    team.sum(found.grad)
    return found


def _direct(flat: Tensor, problem: Problem, drawn: Drawn, images: int, cut: Chunks) -> Gradient | None:
    """Score every chunk by itself; None where images that are compared with one another are not in one chunk."""
    if len(cut.images) > 1 and not problem.objective.separable:
        return None
    loss = torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    found = Gradient(loss, torch.zeros_like(loss), torch.empty_like(flat))
    for members in cut.members:
        weights = leaves(flat[members], problem)
        for span in cut.images:
            losses, rights, grads = forward_backward(weights, problem, drawn.part(members, span), images)
            found.loss[members] += losses
            found.right[members] += rights
            _accumulate(found.grad[members], grads, problem.layout, first=span.start == 0)
    return found


def _cached(flat: Tensor, problem: Problem, drawn: Drawn, fitting: Fitting) -> Gradient:
    """Score the outputs of all chunks and processes together, then carry the loss back chunk by chunk."""
    team = problem.compute.team
    share = team.share(drawn.images)
    mine, per_image = drawn.span(share), tokens(problem.arch)
    size = (len(flat), mine.images, per_image)
    outputs = fitting.run(lambda cut: _outputs(flat, problem, mine, cut), *size)
    outputs = team.join(outputs, drawn.images)
    loss, right, pull = score_outputs(outputs, problem, drawn.part(slice(None), slice(None)).batch)
    grad = fitting.run(lambda cut: _carried_back(flat, problem, mine, pull[:, share], cut), *size)
    return Gradient(loss[:, share].double().sum(1), right[:, share].double().sum(1), grad)


@torch.no_grad()
def _outputs(flat: Tensor, problem: Problem, drawn: Drawn, cut: Chunks) -> Tensor:
    rows = []
    for members in cut.members:
        weights = leaves(flat[members], problem)
        rows.append(torch.cat([outputs_of(weights, problem, drawn.part(members, span)) for span in cut.images], dim=1))
    return torch.cat(rows)


def _carried_back(flat: Tensor, problem: Problem, drawn: Drawn, pull: Tensor, cut: Chunks) -> Tensor:
    grad = torch.empty_like(flat)
    for members in cut.members:
        weights = leaves(flat[members], problem)
        for span in cut.images:
            grads = backward(weights, problem, drawn.part(members, span), pull[members, span])
            _accumulate(grad[members], grads, problem.layout, first=span.start == 0)
    return grad


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


def _accumulate(rows: Tensor, grads: Sequence[Tensor], layout: Layout, first: bool) -> None:
    """Put a chunk's gradients into its ``rows`` [k, P], or add them to what other images left there."""
    views = list(layout.views(rows).values())
    put = torch.ops.aten._foreach_copy_ if first else torch.ops.aten._foreach_add_.List
    put(views, list(grads))
