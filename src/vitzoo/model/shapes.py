"""Names, shapes and costs of a ViT's tensors, in timm's names and order, computed without torch."""

import math

from vitzoo.blueprint.schema import Backbone, Head

Shapes = dict[str, tuple[int, ...]]
CHANNELS = 3


def tokens(arch: Backbone) -> int:
    """Number of tokens: the patches and the class token."""
    return (arch.image_size // arch.patch_size) ** 2 + 1


def hidden(arch: Backbone) -> int:
    """Width of the hidden layer in a block's MLP."""
    return int(arch.dim * arch.mlp_ratio)


def head_shapes(head: Head, dim: int) -> Shapes:
    """Shapes of the head's tensors; ``head.outputs`` must be resolved.

    >>> head_shapes(Head(kind="mlp", hidden=256, outputs=100), 384)["head.2.weight"]
    (100, 256)
    """
    assert head.outputs is not None, "a recipe's head has its outputs resolved"
    if head.kind == "linear":
        return {"head.weight": (head.outputs, dim), "head.bias": (head.outputs,)}
    assert head.hidden is not None
    return {
        "head.0.weight": (head.hidden, dim),
        "head.0.bias": (head.hidden,),
        "head.2.weight": (head.outputs, head.hidden),
        "head.2.bias": (head.outputs,),
    }


def block_shapes(arch: Backbone) -> Shapes:
    """Shapes of the tensors of one block, without its prefix ``blocks.<i>.``."""
    d, h = arch.dim, hidden(arch)
    return {
        "norm1.weight": (d,),
        "norm1.bias": (d,),
        "attn.qkv.weight": (3 * d, d),
        "attn.qkv.bias": (3 * d,),
        "attn.proj.weight": (d, d),
        "attn.proj.bias": (d,),
        "norm2.weight": (d,),
        "norm2.bias": (d,),
        "mlp.fc1.weight": (h, d),
        "mlp.fc1.bias": (h,),
        "mlp.fc2.weight": (d, h),
        "mlp.fc2.bias": (d,),
    }


def parameter_shapes(arch: Backbone) -> Shapes:
    """Shapes of all tensors of a model, in the order of timm's state dict.

    >>> vit_s = Backbone(image_size=224, patch_size=16, dim=384, depth=12, heads=6, head=Head(outputs=1000))
    >>> sum(math.prod(shape) for shape in parameter_shapes(vit_s).values())
    22050664
    """
    d, p = arch.dim, arch.patch_size
    shapes: Shapes = {
        "cls_token": (1, 1, d),
        "pos_embed": (1, tokens(arch), d),
        "patch_embed.proj.weight": (d, CHANNELS, p, p),
        "patch_embed.proj.bias": (d,),
    }
    block = block_shapes(arch)
    for i in range(arch.depth):
        shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
    shapes |= {"norm.weight": (d,), "norm.bias": (d,)}
    return shapes | head_shapes(arch.head, d)


def parameters(arch: Backbone) -> int:
    """Number of parameters of a model."""
    return sum(math.prod(shape) for shape in parameter_shapes(arch).values())


def forward_macs(arch: Backbone) -> int:
    """Multiply-accumulates of one forward pass of one image, matrix products only.

    A training step costs about three times as much; one multiply-accumulate is two FLOP.

    >>> vit_s = Backbone(image_size=224, patch_size=16, dim=384, depth=12, heads=6, head=Head(outputs=1000))
    >>> round(forward_macs(vit_s) / 1e9, 2)
    4.6
    """
    t, d = tokens(arch), arch.dim
    patch = (t - 1) * CHANNELS * arch.patch_size**2 * d
    block = t * (4 * d * d + 2 * d * hidden(arch)) + 2 * t * t * d
    head = sum(math.prod(shape) for name, shape in head_shapes(arch.head, d).items() if name.endswith("weight"))
    return patch + arch.depth * block + head
