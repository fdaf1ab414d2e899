"""Models that lie in memory, judged on a split: in stacks over the cores, each reading the images once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.device import DeviceSplit
from vitzoo.measures import inference
from vitzoo.measures.workers import workers
from vitzoo.model.layout import Layout
from vitzoo.model.native.block import usable
from vitzoo.model.shapes import tokens
from vitzoo.model.vit import Kernels, forward
from vitzoo.training.evaluate import Beat

#: Tokens and images at a time of a stack on a CPU core: what a model makes of so few stays in the core's own cache.
TOKENS, IMAGES = 2048, 60

Make = Callable[[int, int], Tensor]
Tell = Callable[[int, int], None]  # (done, total), in models


@dataclass(frozen=True, eq=False)
class Ground:
    """What models are judged on: how images are prepared (a recipe), the number of classes, and the images."""

    recipe: Recipe
    classes: int
    split: DeviceSplit


@dataclass(frozen=True, eq=False)
class Scores:
    """Mean cross-entropy [S], nats, and accuracy [S] in [0, 1] of models on all images; float64."""

    loss: np.ndarray
    accuracy: np.ndarray


def score(ground: Ground, make: Make, count: int, tell: Tell = lambda done, total: None) -> Scores:
    """Judge ``count`` models, of which ``make(start, stop)`` returns some as rows [stop - start, P].

    Models are made when their turn comes, in the thread that judges them, so hundreds of averages need the memory of
    the few that are looked at. NaN stands for a model whose outputs are not finite.
    """
    device = ground.split.device.type
    size = inference.stack_size(ground.recipe, len(ground.split), device)
    if device == "cpu":  # a stack for each core, where there are models enough
        few = TOKENS // (IMAGES * tokens(ground.recipe.architecture))
        size = max(1, min(size, few, -(-count // torch.get_num_threads())))
    spans = [(start, min(start + size, count)) for start in range(0, count, size)]
    loss, accuracy = np.empty(count), np.empty(count)
    with workers(len(spans), device) as (pool, beat):
        found = pool.map(lambda span: _judge(ground, make(*span), beat), spans)
        for (start, stop), (some_loss, some_accuracy) in zip(spans, found, strict=True):
            loss[start:stop], accuracy[start:stop] = some_loss, some_accuracy
            tell(stop, count)
    return Scores(loss, accuracy)


def score_rows(ground: Ground, rows: Tensor, tell: Tell = lambda done, total: None) -> Scores:
    """Judge models that are all there, as rows [S, P]."""
    return score(ground, lambda start, stop: rows[start:stop], len(rows), tell)


@torch.inference_mode()
def _judge(ground: Ground, rows: Tensor, beat: Beat) -> tuple[np.ndarray, np.ndarray]:
    arch = ground.recipe.architecture
    params = Layout.of(arch).views(rows.float().to(ground.split.device))
    at_once = TOKENS if ground.split.device.type == "cpu" else inference.TOKENS["cuda"]
    size = max(1, at_once // (len(rows) * tokens(arch)))
    native = ground.split.device.type == "cpu" and usable(arch, torch.float32)
    kernels: Kernels = "native" if native else "torch"  # both in float32: they differ by rounding
    sums = torch.zeros(2, len(rows), dtype=torch.float64, device=ground.split.device)
    for images, labels in inference.batches(ground.recipe, ground.classes, ground.split, size):
        beat(1.0)
        outputs = forward(params, images, arch, kernels=kernels)
        wanted = labels.expand(len(rows), -1)
        sums[0] += F.cross_entropy(outputs.mT, wanted, reduction="none").sum(dim=1, dtype=torch.float64)
        sums[1] += (outputs.argmax(dim=2) == wanted).sum(dim=1)
    loss, accuracy = (sums / len(ground.split)).cpu().numpy()
    return loss, np.where(np.isfinite(loss), accuracy, np.nan)
