"""Initialisation as a generating factor: each tensor is a function of (seed, its name), whatever else is drawn.

``timm``: timm's ViT defaults (truncated normal of deviation 0.02, zero biases; the patch convolution keeps PyTorch's
default). ``released``: the released code of the paper (timm's, then every linear map and convolution Kaiming normal
with bias 0.01). An MLP head keeps PyTorch's default under both, as the released initialiser does not reach it.
"""

import math

import torch
from torch import Tensor, nn

from vitzoo import rng
from vitzoo.blueprint.schema import Backbone
from vitzoo.model.shapes import Shapes, head_shapes, parameter_shapes


def initial(arch: Backbone, seed: int) -> dict[str, Tensor]:
    """Draw all tensors of a new model, float32 on the CPU."""
    return _draw(parameter_shapes(arch), arch.init, seed)


def initial_head(arch: Backbone, seed: int) -> dict[str, Tensor]:
    """Draw the tensors of a new head, as fine-tuning needs them: float32 on the CPU."""
    return _draw(head_shapes(arch.head, arch.dim), arch.init, seed)


def _draw(shapes: Shapes, scheme: str, seed: int) -> dict[str, Tensor]:
    tensors = {}
    for name, shape in shapes.items():
        generator = torch.Generator().manual_seed(rng.fold(seed, "init", name))
        tensors[name] = _tensor(name, shape, shapes, scheme, generator)
    return tensors


def _tensor(name: str, shape: tuple[int, ...], shapes: Shapes, scheme: str, generator: torch.Generator) -> Tensor:
    tensor = torch.empty(shape)
    mlp_head = name.startswith("head.") and "head.0.weight" in shapes
    if name == "cls_token":
        return tensor.normal_(0.0, 1e-6, generator=generator)
    if name == "pos_embed":
        return nn.init.trunc_normal_(tensor, std=0.02, generator=generator)
    if "norm" in name:
        return tensor.fill_(1.0 if name.endswith("weight") else 0.0)
    if mlp_head or (scheme == "timm" and name.startswith("patch_embed")):
        return _torch_default(tensor, _fan_in(shapes[name.rsplit(".", 1)[0] + ".weight"]), generator)
    if name.endswith("bias"):
        return tensor.fill_(0.01 if scheme == "released" else 0.0)
    if scheme == "released":
        return tensor.normal_(0.0, math.sqrt(2.0 / _fan_in(shape)), generator=generator)
    return nn.init.trunc_normal_(tensor, std=0.02, generator=generator)


def _fan_in(shape: tuple[int, ...]) -> int:
    return math.prod(shape[1:])


def _torch_default(tensor: Tensor, fan_in: int, generator: torch.Generator) -> Tensor:
    """Draw from U(±1/√fan_in): PyTorch's default for weights and biases of linear maps and convolutions."""
    bound = 1.0 / math.sqrt(fan_in)
    return tensor.uniform_(-bound, bound, generator=generator)
