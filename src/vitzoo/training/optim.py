"""AdamW and SGD over the rows of a matrix [K, P]: one row, one member, its own settings.

Semantics are those of torch.optim (AdamW: Loshchilov & Hutter 2019, decay multiplied by the learning rate; SGD with
momentum: dampening 0, no Nesterov), and so are the kernels: torch's fused ones, which pass over memory once. Rows with
equal settings share a call.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Hyperparameters

EPS = 1e-8
Moments = dict[str, Tensor]


class Settings(NamedTuple):
    """What the optimizer of a member is told."""

    kind: str
    lr: float
    weight_decay: float
    momentum: float
    betas: tuple[float, float]


Groups = dict[Settings, list[int]]


def arrange(members: Sequence[Hyperparameters]) -> Groups:
    """Group the rows of the members by equal settings.

    >>> h = Hyperparameters(seed=0, epochs=1, batch_size=2, lr=0.1)
    >>> list(arrange([h, h.model_copy(update={"lr": 0.2}), h]).values())
    [[0, 2], [1]]
    """
    groups: Groups = {}
    for row, h in enumerate(members):
        groups.setdefault(Settings(h.optimizer, h.lr, h.weight_decay, h.momentum, h.betas), []).append(row)
    return groups


def moments(groups: Groups, flat: Tensor) -> Moments:
    """Return the zero state: ``first`` for all rows, ``second`` only where some row is AdamW."""
    state = {"first": torch.zeros_like(flat)}
    if any(settings.kind == "adamw" for settings in groups):
        state["second"] = torch.zeros_like(flat)
    return state


def update(
    groups: Groups, flat: Tensor, grad: Tensor, state: Moments, step: int, scale: float, alive: Sequence[bool]
) -> None:
    """Apply update number ``step`` (from 1) to the rows of ``flat`` and ``state`` that are alive, in place.

    ``scale`` multiplies every learning rate: the schedule.
    """
    for settings, members in groups.items():
        rows = [row for row in members if alive[row]]
        if rows and settings.kind == "adamw":
            _adamw(settings, rows, flat, grad, state, step, scale)
        elif rows:
            _sgd(settings, rows, flat, grad, state, scale)


def _adamw(s: Settings, rows: list[int], flat: Tensor, grad: Tensor, state: Moments, step: int, scale: float) -> None:
    torch.ops.aten._fused_adamw_.default(
        [flat[row] for row in rows],
        [grad[row] for row in rows],
        [state["first"][row] for row in rows],
        [state["second"][row] for row in rows],
        [],
        [torch.full((), float(step), device=flat.device)] * len(rows),  # filled there: a copy would wait for it
        lr=s.lr * scale,
        beta1=s.betas[0],
        beta2=s.betas[1],
        weight_decay=s.weight_decay,
        eps=EPS,
        amsgrad=False,
        maximize=False,
    )


def _sgd(s: Settings, rows: list[int], flat: Tensor, grad: Tensor, state: Moments, scale: float) -> None:
    torch.ops.aten._fused_sgd_.default(
        [flat[row] for row in rows],
        [grad[row] for row in rows],
        [state["first"][row] for row in rows] if s.momentum else [],
        weight_decay=s.weight_decay,
        momentum=s.momentum,
        lr=s.lr * scale,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,  # a buffer of zeros makes the first step like any other
    )


def clip_rows(grad: Tensor, largest: float) -> Tensor:
    """Scale each row of grad [K, P] down to norm ``largest``, as torch.nn.utils.clip_grad_norm_ does per model."""
    norms = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
    return grad * (largest / (norms + 1e-6)).clamp(max=1.0)
