"""timm's description of a member, and the way back: config.json keys and a timm model with this member's head.

A linear head is a stock ``vit_small_patch16_224`` with other arguments, so ``timm.create_model("local-dir:…")`` needs
nothing of ours. An MLP head is no stock model: importing :mod:`vitzoo.model.timm_entry` registers ``vitzoo_vit_mlp``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vitzoo.blueprint.schema import Backbone, Dataset

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer
    from torch import Tensor

LINEAR = "vit_small_patch16_224"
MLP = "vitzoo_vit_mlp"
ARGUMENTS = ("img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "head_hidden")


def describe(arch: Backbone, dataset: Dataset) -> dict[str, Any]:
    """Return the keys of config.json that timm reads; torch is not needed.

    >>> from vitzoo.blueprint.schema import Head
    >>> arch = Backbone(image_size=16, patch_size=4, dim=48, depth=4, heads=3, head=Head(outputs=10))
    >>> describe(arch, Dataset(source="digits"))["architecture"]
    'vit_small_patch16_224'
    """
    args: dict[str, Any] = {
        "img_size": arch.image_size,
        "patch_size": arch.patch_size,
        "embed_dim": arch.dim,
        "depth": arch.depth,
        "num_heads": arch.heads,
        "mlp_ratio": arch.mlp_ratio,
    }
    if arch.head.kind == "mlp":
        args["head_hidden"] = arch.head.hidden
    return {
        "architecture": LINEAR if arch.head.kind == "linear" else MLP,
        "num_classes": arch.head.outputs,
        "num_features": arch.dim,
        "global_pool": "token",
        "model_args": args,
        "pretrained_cfg": {
            "num_classes": arch.head.outputs,
            "input_size": [3, arch.image_size, arch.image_size],
            "fixed_input_size": True,
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "mean": list(dataset.mean),
            "std": list(dataset.std),
            "first_conv": "patch_embed.proj",
            "classifier": "head" if arch.head.kind == "linear" else "head.2",
        },
    }


def create(config: Mapping[str, Any], state: "Mapping[str, Tensor]") -> "VisionTransformer":
    """Build the timm model that a member's config.json describes and load its tensors, bit for bit.

    Only the arguments that vitzoo writes are passed on, so a hostile config cannot reach timm's constructor.

    Raises:
        KeyError: the config names another architecture than vitzoo writes.
        RuntimeError: the tensors do not fit; torch names them.
    """
    from vitzoo.model import timm_entry

    build = {LINEAR: timm_entry.linear_head, MLP: timm_entry.mlp_head}[config["architecture"]]
    args = {name: value for name, value in config["model_args"].items() if name in ARGUMENTS}
    model = build(num_classes=config["num_classes"], **args)
    model.load_state_dict(dict(state), strict=True)
    return model.eval()
