"""Where a member starts: drawn anew, or from its parent with a new head (the paper's Section 2)."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Backbone
from vitzoo.model.init import initial, initial_head
from vitzoo.model.shapes import parameter_shapes


def from_scratch(recipe: Recipe) -> dict[str, Tensor]:
    """Draw all tensors by the recipe's seed."""
    return initial(recipe.architecture, recipe.hyperparameters.seed)


def from_parent(recipe: Recipe, parent: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the parent's backbone, swap the head for a new one drawn by the recipe's seed.

    Positions are resampled when the image size differs.

    Raises:
        ValueError: a tensor of the backbone is missing or does not fit; the text names it.
    """
    arch = recipe.architecture
    fresh = initial_head(arch, recipe.hyperparameters.seed)
    tensors = {}
    for name, shape in parameter_shapes(arch).items():
        if name in fresh:
            tensors[name] = fresh[name]
            continue
        if name not in parent:
            raise ValueError(f"the parent has no tensor {name!r}")
        tensor = parent[name].float()
        tensor = resample_positions(tensor, arch) if name == "pos_embed" else tensor
        if tuple(tensor.shape) != shape:
            raise ValueError(f"the parent's tensor {name!r} has shape {tuple(tensor.shape)}, expected {shape}")
        tensors[name] = tensor
    return tensors


def resample_positions(positions: Tensor, arch: Backbone) -> Tensor:
    """Resample positions [1, 1+g², D] to the grid of ``arch`` by antialiased bicubic interpolation, as timm does."""
    grid = arch.image_size // arch.patch_size
    cls, old = positions[:, :1], positions[:, 1:]
    side = round(old.shape[1] ** 0.5)
    if side == grid:
        return positions
    image = old.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    image = F.interpolate(image, size=(grid, grid), mode="bicubic", antialias=True)
    return torch.cat([cls, image.permute(0, 2, 3, 1).reshape(1, grid * grid, -1)], dim=1)
