"""Small ViTs in which nothing is zero or one, timm's logits of them, and random changes."""

import torch

from vitzoo.blueprint.schema import Backbone, Dataset, Head
from vitzoo.merging.symmetry import inner, residual, units
from vitzoo.model.shapes import parameter_shapes
from vitzoo.model.timm_names import create, describe

D, HEADS, DEPTH = 24, 3, 2
KINDS = {"linear": Head(kind="linear", outputs=7), "mlp": Head(kind="mlp", hidden=10, outputs=7)}


def arch(kind):
    return Backbone(image_size=16, patch_size=4, dim=D, depth=DEPTH, heads=HEADS, mlp_ratio=2, head=KINDS[kind])


def model(kind, seed):
    """Draw a model; nothing in it is zero or one."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in parameter_shapes(arch(kind)).items():
        drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
        norm = name.endswith(("norm.weight", "norm1.weight", "norm2.weight"))
        found[name] = 1 + 0.5 * drawn if norm else drawn * (0.5 if len(shape) == 1 else shape[-1] ** -0.5)
    return found


def logits(kind, params):
    """Run timm's model in float64 on a few images."""
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    built = create(describe(arch(kind), Dataset(source="digits")), {k: v.float() for k, v in params.items()}).double()
    built.load_state_dict(params)
    with torch.no_grad():
        return built.eval()(images)


def mixing(seed, size):
    drawn = torch.randn(HEADS, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn + 2 * torch.eye(size, dtype=torch.float64)


def rotation(seed, size):
    drawn = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.qr(drawn)[0]


def order(seed, count):
    """Draw an order that is not the one there is."""
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return drawn.flip(0) if torch.equal(drawn, torch.arange(count)) else drawn


def planted(params, seed):
    """Change a model by one of every symmetry."""
    found = residual.rotate(residual.fold(params), residual.keeps_ones(rotation(seed, D - 1)))
    for block in range(DEPTH):
        found = units.permute_mlp(found, block, order(seed + block, 2 * D))
        found = units.permute_heads(found, block, order(seed + block, HEADS))
        found = inner.mix_keys(found, block, mixing(seed + block, D // HEADS))
        found = inner.mix_values(found, block, mixing(seed + block + 1, D // HEADS))
    return units.permute_head(found, order(seed, 10)) if "head.0.weight" in found else found


def pictures(count, seed=5):
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def distance(a, b):
    return float(sum(((a[name] - b[name]) ** 2).sum() for name in a)) ** 0.5
