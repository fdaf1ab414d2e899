"""Loss and accuracy of a population over a whole split: no image is left out."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from vitzoo.blueprint.schema import Backbone
from vitzoo.data.device import DeviceSplit
from vitzoo.data.order import eval_order
from vitzoo.model.shapes import tokens
from vitzoo.model.vit import Kernels, forward
from vitzoo.training.chunks import Chunks
from vitzoo.training.fitting import Fitting
from vitzoo.training.objectives import Objective
from vitzoo.training.team import ALONE, Team

Beat = Callable[[float], None]


@torch.no_grad()
def evaluate(
    params: Mapping[str, Tensor],
    arch: Backbone,
    objective: Objective,
    split: DeviceSplit,
    key: tuple[int | str, ...],
    beat: Beat = lambda share: None,
    fitting: Fitting | None = None,
    team: Team = ALONE,
    kernels: Kernels = "torch",
) -> tuple[Tensor, Tensor]:
    """Return mean loss [K] and accuracy [K] in [0, 1], float64, over all images of ``split``.

    ``beat`` is called before every batch and may raise to stop.
    ``key`` fixes the draws of objectives that draw (the two views of contrastive training).
    Outputs are computed in the chunks that ``fitting`` allows; batches are shared among the processes of ``team``.
    """
    some, fitting = next(iter(params.values())), fitting or Fitting()
    sums = torch.zeros(2, len(some), dtype=torch.float64, device=some.device)
    for number, index in enumerate(eval_order(len(split), objective.test_batch_size)):
        if number % team.size != team.rank:
            continue
        beat(1.0)
        batch = objective.test_batch(*split.gather(index), key=(*key, number))
        images = batch.images.to(some.dtype)
        size = (len(some), images.shape[1], tokens(arch))
        outputs = fitting.run(lambda cut, images=images: _outputs(params, images, arch, cut, kernels), *size)
        score = objective.score(outputs, batch)
        sums += torch.stack([score.loss.double().sum(1), score.right.double().sum(1)])
    loss, right = team.sum(sums) / (len(split) * objective.hyper.views)
    return loss, right


def _outputs(params: Mapping[str, Tensor], images: Tensor, arch: Backbone, cut: Chunks, kernels: Kernels) -> Tensor:
    """Return the outputs [K, N, C] for images [1, N, 3, H, W], computed chunk by chunk."""
    rows = []
    for members in cut.members:
        some = {name: tensor[members] for name, tensor in params.items()}
        rows.append(torch.cat([forward(some, images[:, span], arch, None, kernels) for span in cut.images], dim=1))
    return torch.cat(rows)
