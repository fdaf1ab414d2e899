"""Rotations that are learned: aligned models are turned on, until what lies between them does the task.

Every model keeps its function, whatever is learned, because only symmetries are: R_m = exp(Π (Z_m - Z_mᵀ) Π) of the
residual stream, Π taking the vector of ones away. What is trained is the loss of a random mixture of all models, so one
rotation a model serves the whole simplex. The idea is that of GLMC (arXiv 2506.22712), in models that stay plain ViTs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.merging.across.mixture import mixture
from vitzoo.merging.symmetry.residual import turned

Params = Mapping[str, Tensor]
Loss = Callable[[Params, Tensor, Tensor], Tensor]
SPREAD = 20.0  # of the Dirichlet distribution that mixtures are drawn from; for two models about 0.4 to 0.6
LR = 3e-3


def learn(
    models: Sequence[Params], batches: Iterable[tuple[Tensor, Tensor]], loss: Loss, lr: float = LR, seed: int = 0
) -> list[Tensor]:
    """Return a rotation [D, D] for each folded model, by which mixtures lose little; the first stays as it is.

    ``batches`` yield images and targets, one a step of Adam; ``loss(params, images, targets)`` is that of one model.
    """
    size = len(models[0]["norm.weight"])
    free = torch.zeros(len(models) - 1, size, size, requires_grad=True)
    optimizer, random = torch.optim.Adam([free], lr=lr), rng.stream(seed, "mixtures")
    plain = [{name: tensor.float() for name, tensor in model.items()} for model in models]
    for images, targets in batches:
        shares = torch.from_numpy(random.dirichlet([SPREAD] * len(models))).float()
        moved = [plain[0], *(turned(model, found) for model, found in zip(plain[1:], rotations(free), strict=True))]
        value = loss(mixture(moved, shares), images, targets)
        _step(optimizer, value)
    return [torch.eye(size, dtype=torch.float64), *rotations(free.detach().double())]


def tuned(model: Params, batches: Iterable[tuple[Tensor, Tensor]], loss: Loss, lr: float) -> dict[str, Tensor]:
    """Return a model all of whose weights were trained on the batches by Adam: what the same budget gives otherwise."""
    found = {name: tensor.float().clone().requires_grad_() for name, tensor in model.items()}
    optimizer = torch.optim.Adam([*found.values()], lr=lr)
    for images, targets in batches:
        value = loss(found, images, targets)
        _step(optimizer, value)
    return {name: tensor.detach() for name, tensor in found.items()}


def _step(optimizer: torch.optim.Optimizer, value: Tensor) -> None:
    optimizer.zero_grad()
    value.backward()
    optimizer.step()


def rotations(free: Tensor) -> Tensor:
    """Return rotations [M, D, D] that keep the vector of ones, of any matrices [M, D, D]; zeros give none."""
    skew = free - free.mT
    skew = skew - skew.mean(dim=1, keepdim=True)
    return torch.linalg.matrix_exp(skew - skew.mean(dim=2, keepdim=True))
