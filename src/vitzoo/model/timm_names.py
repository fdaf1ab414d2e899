"""timm's description of a member, and the way back: config.json keys and a timm model with this member's head.

A linear head is a stock ``vit_small_patch16_224`` with other arguments, so ``timm.create_model("local-dir:…")`` needs
nothing of ours. An MLP head is no stock model: importing :mod:`vitzoo.model.timm_entry` registers ``vitzoo_vit_mlp``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vitzoo.blueprint.schema import Backbone, Dataset, Head
from vitzoo.errors import InputError, IntegrityError
from vitzoo.model.shapes import Shapes, parameter_shapes

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer
    from torch import Tensor

LINEAR = "vit_small_patch16_224"
MLP = "vitzoo_vit_mlp"
KINDS = {LINEAR: "linear", MLP: "mlp"}
FIELDS = {  # timm's argument → our field
    "img_size": "image_size",
    "patch_size": "patch_size",
    "embed_dim": "dim",
    "depth": "depth",
    "num_heads": "heads",
    "mlp_ratio": "mlp_ratio",
}
HIDDEN = "head_hidden"
ARGUMENTS = (*FIELDS, HIDDEN)


def describe(arch: Backbone, dataset: Dataset) -> dict[str, Any]:
    """Return the keys of config.json that timm reads; torch is not needed.

    >>> from vitzoo.blueprint.schema import Head
    >>> arch = Backbone(image_size=16, patch_size=4, dim=48, depth=4, heads=3, head=Head(outputs=10))
    >>> describe(arch, Dataset(source="digits"))["architecture"]
    'vit_small_patch16_224'
    """
    args: dict[str, Any] = {argument: getattr(arch, field) for argument, field in FIELDS.items()}
    if arch.head.kind == "mlp":
        args[HIDDEN] = arch.head.hidden
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


def declared(config: Mapping[str, Any], where: object) -> Backbone | None:
    """Return the architecture that timm's keys of a config.json declare; ``None`` if they declare none.

    A config may come from a stranger, so every number is held to the ranges of a blueprint before anything is built.
    ``where`` names the config. InputError says what makes it no model that vitzoo grows.

    >>> from vitzoo.blueprint.schema import Head
    >>> arch = Backbone(image_size=16, patch_size=4, dim=48, depth=4, heads=3, head=Head(outputs=10))
    >>> declared(describe(arch, Dataset(source="digits")), "config.json") == arch
    True
    """
    if "model_args" not in config:
        return None
    kind, args = config.get("architecture"), config["model_args"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise _no_model(where, f"architecture {str(kind)[:80]!r} is neither {' nor '.join(KINDS)}")
    if not isinstance(args, dict) or not FIELDS.keys() <= args.keys() <= {*ARGUMENTS}:
        raise _no_model(where, f"model_args are not {', '.join(FIELDS)}, and {HIDDEN} of an MLP head, and no others")
    fields = {field: args[argument] for argument, field in FIELDS.items()}
    head = {"kind": KINDS[kind], "hidden": args.get(HIDDEN), "outputs": config.get("num_classes")}
    try:
        arch = Backbone.model_validate(fields | {"head": Head.model_validate(head)})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise _no_model(where, f"{'.'.join(map(str, problem['loc'])) or 'model_args'}: {problem['msg']}") from None
    if arch.head.outputs is None or config.get("global_pool", "token") != "token":
        raise _no_model(where, "num_classes must be a number, and global_pool 'token'")
    return arch


def check_shapes(found: Shapes, arch: Backbone, where: object) -> None:
    """IntegrityError names the first tensor that is missing, too many, or of another shape than the architecture's."""
    expected = parameter_shapes(arch)
    for name in (*expected, *found):
        if found.get(name) != expected.get(name):
            has, wants = (str(list(shapes[name])) if name in shapes else "none" for shapes in (found, expected))
            raise IntegrityError(
                f"{where}, tensor {name!r}: its shape is {has}, the config declares {wants}. "
                "Restore the file from a copy of the zoo."
            )


def create(
    config: Mapping[str, Any], state: "Mapping[str, Tensor]", where: object = "The config"
) -> "VisionTransformer":
    """Build the timm model that a member's config.json describes and load its tensors, bit for bit.

    Nothing is built before the config is known to describe a model that vitzoo grows, and the tensors to fit it.
    ``where`` names the member in errors: InputError for the config, IntegrityError for a tensor that does not fit.
    """
    arch = declared(config, where)
    if arch is None:
        raise _no_model(where, "it has no model_args")
    check_shapes({name: tuple(tensor.shape) for name, tensor in state.items()}, arch, where)

    from vitzoo.model import timm_entry

    build = {LINEAR: timm_entry.linear_head, MLP: timm_entry.mlp_head}[config["architecture"]]
    model = build(num_classes=arch.head.outputs, **config["model_args"])
    model.load_state_dict(dict(state), strict=True)
    return model.eval()


def _no_model(where: object, reason: str) -> InputError:
    return InputError(f"{where} describes no model that vitzoo grows: {reason}.")
