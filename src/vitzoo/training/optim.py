"""AdamW and SGD over the rows of a matrix [K, P]: one row, one member, its own learning rate and decay.

Semantics are those of torch.optim (AdamW: Loshchilov & Hutter 2019, decay multiplied by the learning rate;
SGD with momentum: dampening 0, no Nesterov). Rows with the same optimizer are adjacent, so each kind updates a slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Hyperparameters

EPS = 1e-8
Moments = dict[str, Tensor]


@dataclass(frozen=True)
class Rows:
    """Adjacent rows with one kind of optimizer; every setting is a column [k, 1]."""

    kind: str
    rows: slice
    lr: Tensor
    weight_decay: Tensor
    momentum: Tensor
    beta1: Tensor
    beta2: Tensor


def arrange(settings: Sequence[Hyperparameters], like: Tensor) -> list[Rows]:
    """Group the members' settings into runs of equal optimizers; columns get the dtype and device of ``like``."""
    groups, start = [], 0
    for kind, run in groupby(settings, key=lambda h: h.optimizer):
        members = list(run)
        columns = {
            "lr": [h.lr for h in members],
            "weight_decay": [h.weight_decay for h in members],
            "momentum": [h.momentum for h in members],
            "beta1": [h.betas[0] for h in members],
            "beta2": [h.betas[1] for h in members],
        }
        tensors = {name: _column(values, like) for name, values in columns.items()}
        groups.append(Rows(kind, slice(start, start + len(members)), **tensors))
        start += len(members)
    return groups


def _column(values: list[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).to(like).unsqueeze(1)


def moments(groups: Sequence[Rows], flat: Tensor) -> Moments:
    """Return the zero state: ``first`` for all rows, ``second`` only where some row is AdamW."""
    state = {"first": torch.zeros_like(flat)}
    if any(group.kind == "adamw" for group in groups):
        state["second"] = torch.zeros_like(flat)
    return state


def update(groups: Sequence[Rows], flat: Tensor, grad: Tensor, state: Moments, step: int, scale: Tensor) -> None:
    """Apply update number ``step`` (from 1) to ``flat`` and ``state`` in place.

    ``scale`` [K, 1] multiplies each member's learning rate: the schedule, or 0 to hold a member still.
    """
    for group in groups:
        rows = group.rows
        lr = group.lr * scale[rows]
        if group.kind == "adamw":
            _adamw(group, flat[rows], grad[rows], state["first"][rows], state["second"][rows], step, lr)
        else:
            _sgd(group, flat[rows], grad[rows], state["first"][rows], lr)


def _adamw(g: Rows, flat: Tensor, grad: Tensor, first: Tensor, second: Tensor, step: int, lr: Tensor) -> None:
    flat.mul_(1 - lr * g.weight_decay)
    first.lerp_(grad, 1 - g.beta1)
    second.mul_(g.beta2).addcmul_(grad * (1 - g.beta2), grad)
    denominator = second.sqrt().div_((1 - g.beta2**step).sqrt()).add_(EPS)
    flat.sub_((lr / (1 - g.beta1**step)) * first.div(denominator))


def _sgd(g: Rows, flat: Tensor, grad: Tensor, buffer: Tensor, lr: Tensor) -> None:
    buffer.mul_(g.momentum).add_(grad).add_(flat * g.weight_decay)
    flat.sub_(lr * buffer)


def clip_rows(grad: Tensor, largest: float) -> Tensor:
    """Scale each row of grad [K, P] down to norm ``largest``, as torch.nn.utils.clip_grad_norm_ does per model."""
    norms = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
    return grad * (largest / (norms + 1e-6)).clamp(max=1.0)
