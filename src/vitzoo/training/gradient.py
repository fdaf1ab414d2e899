"""The gradient of one step of a population, in micro-batches that add up to the whole batch.

Members are independent, so a chunk of members writes its own rows. Images of one member are independent where the
objective scores each by itself; their gradients add up. Where images are compared with one another (contrastive), the
outputs of all of them are computed first, then the loss and its gradient with respect to the outputs, and then that is
carried back chunk by chunk: the gradient cache of Gao et al. 2021 (arXiv 2101.06983), at the price of a second forward
pass. Sums are kept in the precision of the weights that are kept, so the effective batch is that of the recipe.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens
from vitzoo.training.chunks import Chunks
from vitzoo.training.fitting import Fitting
from vitzoo.training.passes import (
    Drawn,
    Problem,
    Weights,
    backward,
    forward_backward,
    leaves,
    outputs_of,
    score_outputs,
)

Graph = list[tuple[Weights, Tensor]]


class Gradient(NamedTuple):
    """Summed loss [K] and right answers [K] (float64), and the gradient [K, P] of each member's mean loss."""

    loss: Tensor
    right: Tensor
    grad: Tensor


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
    graph: Graph = []
    outputs = fitting.run(lambda cut: _outputs(flat, problem, mine, cut, graph), *size)
    outputs = team.join(outputs, drawn.images)
    loss, right, pull = score_outputs(outputs, problem, drawn.part(slice(None), slice(None)).batch)
    grad = fitting.run(lambda cut: _carried_back(flat, problem, mine, pull[:, share], cut, graph), *size)
    return Gradient(loss[:, share].double().sum(1), right[:, share].double().sum(1), grad)


def _outputs(flat: Tensor, problem: Problem, drawn: Drawn, cut: Chunks, graph: Graph) -> Tensor:
    """Return the outputs [K, n, C]; what a single chunk needs to be carried back through is kept in ``graph``."""
    rows = []
    with torch.set_grad_enabled(cut.single):
        for members in cut.members:
            weights = leaves(flat[members], problem)
            parts = [drawn.part(members, span) for span in cut.images]
            rows.append(torch.cat([outputs_of(weights, problem, part) for part in parts], dim=1))
            graph[:] = [(weights, rows[0])] if cut.single else []
    return torch.cat(rows).detach()


def _carried_back(flat: Tensor, problem: Problem, drawn: Drawn, pull: Tensor, cut: Chunks, graph: Graph) -> Tensor:
    """Return the gradient [K, P], given that by the outputs; chunks are computed forward once more."""
    grad = torch.empty_like(flat)
    if graph:
        weights, outputs = graph.pop()  # whatever comes of it: a second attempt needs the memory
        _accumulate(grad, torch.autograd.grad(outputs, list(weights.values()), pull), problem.layout, first=True)
        return grad
    for members in cut.members:
        weights = leaves(flat[members], problem)
        for span in cut.images:
            grads = backward(weights, problem, drawn.part(members, span), pull[members, span])
            _accumulate(grad[members], grads, problem.layout, first=span.start == 0)
    return grad


def _accumulate(rows: Tensor, grads: Sequence[Tensor], layout: Layout, first: bool) -> None:
    """Put a chunk's gradients into its ``rows`` [k, P], or add them to what other images left there."""
    views = list(layout.views(rows).values())
    put = torch.ops.aten._foreach_copy_ if first else torch.ops.aten._foreach_add_.List
    put(views, list(grads))
