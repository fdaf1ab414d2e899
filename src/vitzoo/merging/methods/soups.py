"""Model soups: the mean of models, of some of them, or with learned shares (Wortsman et al. 2022, arXiv 2203.05482)."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo import rng
from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.scoring import Ground, score
from vitzoo.merging import average
from vitzoo.merging.methods.method import Ingredients, Merged
from vitzoo.model.vit import forward

AHEAD = 16  # candidates that are judged at once at most


def uniform(of: Ingredients) -> Merged:
    """Average all models."""
    return Merged(average.uniform(of.models), [1 / len(of.models)] * len(of.models))


def greedy(of: Ingredients, images: int) -> Merged:
    """Add models, the best on held-out images first, and keep what does not make the soup worse."""
    ground, count = of.held_out(images), len(of.models)
    alone = np.nan_to_num(score(ground, lambda start, stop: of.models[start:stop], count).accuracy, nan=-1.0)
    order = sorted(range(count), key=lambda i: -alone[i])

    def judge(kept: list[int], tried: Sequence[int]) -> np.ndarray:
        base = of.models[kept].sum(dim=0, dtype=torch.float64)

        def make(start: int, stop: int) -> Tensor:
            return ((base + of.models[list(tried[start:stop])]) / (len(kept) + 1)).to(of.models.dtype)

        of.tell(order.index(tried[0]), count)
        return score(ground, make, len(tried)).accuracy

    kept = pick(order, float(alone[order[0]]), judge)
    shares = [1 / len(kept) if i in kept else 0.0 for i in range(count)]
    return Merged(average.uniform(of.models[sorted(kept)]), shares)


def pick(order: Sequence[int], best: float, judge: Callable[[list[int], Sequence[int]], np.ndarray]) -> list[int]:
    """Return the models that a greedy soup keeps, in the order in which they were added.

    ``best`` is the accuracy of the first. ``judge(kept, tried)`` returns the accuracies of soups of those kept with one
    of those tried. As most models are rejected, some are tried ahead, as if those before them were; the soup is the
    same.
    """
    kept, waiting, ahead = [order[0]], list(order[1:]), 1
    while waiting:
        tried = waiting[:ahead]
        found = judge(kept, tried)
        good = next((i for i, accuracy in enumerate(found) if accuracy >= best), None)
        if good is None:
            waiting, ahead = waiting[ahead:], min(2 * ahead, AHEAD)
        else:
            kept.append(tried[good])
            best, waiting, ahead = float(found[good]), waiting[good + 1 :], 1
    return kept


def learned(of: Ingredients, images: int, steps: int, lr: float, batch: int, per_tensor: bool, seed: int) -> Merged:
    """Average with shares, softmax(α), that Adam learns on held-out images; ``per_tensor``: for each tensor its own."""
    if steps < 1 or batch < 1 or not lr > 0:
        raise InputError(f"Shares cannot be learned in {steps} steps of {batch} images with learning rate {lr:g}.")
    ground = of.held_out(images)
    models = of.models.to(ground.split.device)
    parts = of.layout.sizes if per_tensor else [models.shape[1]]
    free = torch.zeros(len(models), len(parts), device=models.device, requires_grad=True)
    optimizer, random = torch.optim.Adam([free], lr=lr), rng.stream(seed, "learned soup")
    for step in range(steps):
        chosen = random.permutation(len(ground.split))[:batch]
        loss = _loss(of, ground, mixture(models, free.softmax(dim=0), parts), chosen)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        of.tell(step + 1, steps)
    shares = free.detach().double().softmax(dim=0)
    model = mixture(models.double(), shares, parts).to(of.models)
    return Merged(model, None if per_tensor else shares[:, 0].tolist())


def mixture(models: Tensor, shares: Tensor, parts: Sequence[int]) -> Tensor:
    """Return the mean [P] of models [K, P] with shares [K, T], one column for each of T parts of these sizes."""
    pieces = zip(models.split(list(parts), dim=1), shares.unbind(dim=1), strict=True)
    return torch.cat([share @ piece for piece, share in pieces])


def _loss(of: Ingredients, ground: Ground, row: Tensor, chosen: np.ndarray) -> Tensor:
    images, labels = ground.split.gather(chosen)
    x = inference.pipeline_of(ground.recipe, ground.classes).eval_batch(images).unsqueeze(0)
    return F.cross_entropy(forward(of.layout.views(row.unsqueeze(0)), x, ground.recipe.architecture)[0], labels)
