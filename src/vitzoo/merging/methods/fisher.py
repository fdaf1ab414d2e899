"""Fisher merging (Matena and Raffel 2022, arXiv 2111.09832): means weighted by how much outputs depend on a number.

The weights of the mean are the diagonals of the models' Fisher information, on training images without augmentation.
Images are treated alone: each gets a copy of the model, so that a population's gradient holds one row an image.
"""

import torch
from torch import Tensor

from vitzoo import rng
from vitzoo.errors import InputError, nearest
from vitzoo.measures import inference
from vitzoo.measures.scoring import Ground
from vitzoo.merging.methods.method import Ingredients, Merged
from vitzoo.model.layout import Layout
from vitzoo.model.vit import forward

LABELS = ("expected", "drawn", "true")
MEMORY = 1 << 26  # bytes of copies, as long as one does not need more


def fisher(of: Ingredients, images: int, labels: str, floor: float, seed: int) -> Merged:
    """Average with the diagonal Fisher information of each model as weights.

    ``labels`` are, "expected": all, each with the model's probability, which is the Fisher information itself; "drawn":
    one an image by these, which has that expectation at a fraction of the time; "true": the images' own, the empirical
    Fisher. ``floor``, a share of a model's mean, is added, so that numbers no model's outputs depend on are averaged.
    """
    if labels not in LABELS:
        raise InputError(f"{labels!r} are no labels; use {', '.join(LABELS)}.{nearest(labels, LABELS)}")
    if not floor > 0:
        raise InputError(f"A floor of {floor:g} leaves numbers without any weight; use one above 0, such as 1e-6.")
    ground = of.training(images)
    above, below = torch.zeros(2, of.models.shape[1], dtype=torch.float64)
    for i, row in enumerate(of.models):
        weight = diagonal(row, ground, labels, seed).cpu()
        weight += floor * weight.mean() + torch.finfo(torch.float64).tiny
        above += weight * row.double()
        below += weight
        of.tell(i + 1, len(of.models))
    return Merged((above / below).to(of.models.dtype))


def diagonal(row: Tensor, ground: Ground, labels: str, seed: int = 0) -> Tensor:
    """Return the diagonal [P] of the Fisher information of a model [P], the mean over images; float64."""
    arch, device = ground.recipe.architecture, ground.split.device
    size, layout = max(1, MEMORY // (4 * len(row))), Layout.of(arch)
    found = torch.zeros(len(row), dtype=torch.float64, device=device)
    for number, (images, true) in enumerate(inference.batches(ground.recipe, ground.classes, ground.split, size)):
        copies = row.to(device).repeat(len(true), 1).requires_grad_()
        scores = forward(layout.views(copies), images[0].unsqueeze(1), arch)[:, 0].log_softmax(dim=1)
        for weight, some in _targets(scores, true, labels, (seed, number)):
            (slope,) = torch.autograd.grad(some.sum(), copies, retain_graph=labels == "expected")
            found += (weight[:, None] * slope.square()).sum(dim=0, dtype=torch.float64)
    return found / len(ground.split)


def _targets(scores: Tensor, true: Tensor, labels: str, key: tuple[int, int]) -> list[tuple[Tensor, Tensor]]:
    """Return log probabilities [N] to be differentiated, each with the weights [N] of the squares."""
    shares = scores.detach().exp()
    if labels == "expected":
        return list(zip(shares.unbind(dim=1), scores.unbind(dim=1), strict=True))
    chosen = true
    if labels == "drawn":
        draws = torch.from_numpy(rng.stream(*key, "fisher").random(len(true))).to(shares)
        chosen = (shares.cumsum(dim=1) < draws[:, None]).sum(dim=1).clamp(max=shares.shape[1] - 1)
    return [(torch.ones_like(shares[:, 0]), scores.gather(1, chosen[:, None])[:, 0])]
