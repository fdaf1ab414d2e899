"""Rotations that are learned: aligned models are turned on, until what lies between them does the task.

Every model keeps its function, whatever is learned, because only symmetries are: R_m = exp(Π (Z_m - Z_mᵀ) Π) of the
residual stream, Π taking the vector of ones away. What is trained is the loss of a random mixture of all models, so one
rotation a model serves the whole simplex. The idea is that of GLMC (arXiv 2506.22712), in models that stay plain ViTs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.merging.symmetry.residual import rotate, turned

Params = Mapping[str, Tensor]
SPREAD = 20.0  # of the Dirichlet distribution that mixtures are drawn from; for two models about 0.4 to 0.6


def learn(
    models: Sequence[Params],
    batches: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[[Params, Tensor, Tensor], Tensor],
    lr: float = 3e-3,
    seed: int = 0,
) -> list[dict[str, Tensor]]:
    """Return aligned models, the first as it is, the others turned so that mixtures lose little.

    ``batches`` yield images and targets, one a step of Adam; ``loss(params, images, targets)`` is that of one model.
    ValueError as ``rotate`` if a model's norms are not folded.
    """
    size = len(models[0]["norm.weight"])
    free = torch.zeros(len(models) - 1, size, size, requires_grad=True)
    optimizer, random = torch.optim.Adam([free], lr=lr), rng.stream(seed, "mixtures")
    plain = [{name: tensor.float() for name, tensor in model.items()} for model in models]
    for images, targets in batches:
        shares = torch.from_numpy(random.dirichlet([SPREAD] * len(models))).float()
        moved = [plain[0], *(turned(model, found) for model, found in zip(plain[1:], rotations(free), strict=True))]
        value = loss(mixture(moved, shares), images, targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    learned = rotations(free.detach().double())
    return [dict(models[0]), *(rotate(model, found) for model, found in zip(models[1:], learned, strict=True))]


def rotations(free: Tensor) -> Tensor:
    """Return rotations [M, D, D] that keep the vector of ones, of any matrices [M, D, D]; zeros give none."""
    skew = free - free.mT
    skew = skew - skew.mean(dim=1, keepdim=True)
    return torch.linalg.matrix_exp(skew - skew.mean(dim=2, keepdim=True))


def mixture(models: Sequence[Params], shares: Tensor) -> dict[str, Tensor]:
    """Return the mean of models with these shares [M], tensor by tensor."""
    return {
        name: torch.tensordot(shares.to(tensor.dtype), torch.stack([model[name] for model in models]), dims=1)
        for name, tensor in models[0].items()
    }
