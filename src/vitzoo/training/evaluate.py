"""Loss and accuracy of a population over a whole split: no image is left out."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.data.device import DeviceSplit
from vitzoo.data.order import eval_order
from vitzoo.model.vit import forward
from vitzoo.training.objectives import Objective

Beat = Callable[[float], None]


@torch.no_grad()
def evaluate(
    params: Mapping[str, Tensor],
    arch: Backbone,
    objective: Objective,
    split: DeviceSplit,
    key: tuple[int | str, ...],
    beat: Beat = lambda share: None,
) -> tuple[Tensor, Tensor]:
    """Return mean loss [K] and accuracy [K] in [0, 1], float64, over all images of ``split``.

    ``beat`` is called before every batch and may raise to stop.
    ``key`` fixes the draws of objectives that draw (the two views of contrastive training).
    """
    dtype = next(iter(params.values())).dtype
    loss: Tensor | float = 0.0
    right: Tensor | float = 0.0
    for number, index in enumerate(eval_order(len(split), objective.test_batch_size)):
        beat(1.0)
        batch = objective.test_batch(*split.gather(index), key=(*key, number))
        score = objective.score(forward(params, batch.images.to(dtype), arch), batch)
        loss = loss + score.loss.double().sum(1)
        right = right + score.right.double().sum(1)
    seen = len(split) * objective.hyper.views
    assert isinstance(loss, Tensor) and isinstance(right, Tensor)
    return loss / seen, right / seen
