"""After averaging: linear maps are fitted, layer by layer, to what the averaged models made of images. No labels.

``repair`` gives what is written to the stream the mean and the length it had in the models, which averaging takes from
it (Jordan et al., "REPAIR", 2023, for batch norms). ``least_squares`` fits the whole map by ridge regression, around
the average. Both use the average's own inputs, so errors of earlier layers are made up for. They are closed forms, but
they fit: how far they get with models that were not aligned must be told beside every result.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.merging.across.forward import applied, attention, embed, normal
from vitzoo.merging.symmetry.residual import depth

Params = Mapping[str, Tensor]
#: Of a map [o, n + 1], bias last, inputs [N, n + 1] of it and the models' outputs [M, N, o]: another map.
Fit = Callable[[Tensor, Tensor, Tensor], Tensor]
RIDGE = 0.01  # of the mean square of inputs


def rescaled(found: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Scale a map by one number and shift it, so that its outputs have the models' mean and mean length around it."""
    own = inputs @ found.mT
    means = outputs.mean(dim=1)
    length = (outputs - means[:, None]).square().sum(dim=2).mean(dim=1).sqrt().mean()
    scale = length / (own - own.mean(dim=0)).square().sum(dim=1).mean().sqrt().clamp(min=1e-12)
    shift = means.mean(dim=0) - scale * own.mean(dim=0)
    return F.pad(scale * found[:, :-1], (0, 1)) + F.pad(
        (shift + scale * found[:, -1])[:, None], (found.shape[1] - 1, 0)
    )


def regressed(found: Tensor, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Return the map that is near the given one and whose outputs are near the models' mean outputs: ridge regression.

    It minimises ‖X Wᵀ - Y‖² + r ‖W - W₀‖², with r ``RIDGE`` of the mean diagonal of XᵀX.
    """
    gram = inputs.mT @ inputs
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    missing = inputs.mT @ (outputs.mean(dim=0) - inputs @ found.mT)
    return found + torch.linalg.solve(gram + ridge, missing).mT


def repair(average: Params, models: Sequence[Params], images: Tensor, heads: int) -> dict[str, Tensor]:
    """Return the average with the models' means and lengths of outputs, on images [N, 3, S, S]; all are folded."""
    return calibrated(average, models, images, heads, rescaled, ("proj", "fc2"))


def least_squares(average: Params, models: Sequence[Params], images: Tensor, heads: int) -> dict[str, Tensor]:
    """Return the average with every linear map fitted to the models' mean outputs on images; all are folded."""
    return calibrated(average, models, images, heads, regressed, ("qkv", "proj", "fc1", "fc2", "head"))


def calibrated(
    average: Params, models: Sequence[Params], images: Tensor, heads: int, fit: Fit, maps: Sequence[str]
) -> dict[str, Tensor]:
    """Fit the named maps of the average one after another, each by what the models' own gives on their own inputs.

    The memory is that of the widest layer's activations, of all models on all images.
    """
    found = dict(average)
    streams = [embed(each, images.to(each["pos_embed"].dtype)) for each in (average, *models)]

    def fix(name: str, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Fit a map if it is to be, and return what it gives: the average's first."""
        outputs = [applied(model, name, each) for model, each in zip(models, inputs[1:], strict=True)]
        if any(name.endswith(each) or name.startswith(f"{each}.") for each in maps):
            before = torch.cat([found[f"{name}.weight"], found[f"{name}.bias"][:, None]], dim=1)
            seen = F.pad(inputs[0].flatten(0, -2), (0, 1), value=1.0)
            after = fit(before, seen, torch.stack([each.flatten(0, -2) for each in outputs]))
            found[f"{name}.weight"], found[f"{name}.bias"] = after[:, :-1], after[:, -1]
        return [applied(found, name, inputs[0]), *outputs]

    for i in range(depth(average)):
        seen = [normal(x) for x in streams]
        fix(f"blocks.{i}.attn.qkv", seen)
        mixed = [
            attention(model, i, z, heads)[2].transpose(1, 2).flatten(2)
            for model, z in zip((found, *models), seen, strict=True)
        ]
        streams = [x + y for x, y in zip(streams, fix(f"blocks.{i}.attn.proj", mixed), strict=True)]
        inner = [F.gelu(x) for x in fix(f"blocks.{i}.mlp.fc1", [normal(x) for x in streams])]
        streams = [x + y for x, y in zip(streams, fix(f"blocks.{i}.mlp.fc2", inner), strict=True)]
    last = [normal(x)[:, 0] for x in streams]
    if "head.weight" in average:
        fix("head", last)
    else:
        fix("head.2", [F.relu(x) for x in fix("head.0", last)])
    return found
