"""timm's ``config.json``: which architectures are the plain ViT of a zoo, and what the config says beside its shapes.

timm is not asked, which takes seconds to import; a test holds the names here to those that timm knows.
"""

import re
from collections.abc import Mapping
from typing import Any

from vitzoo.errors import InputError
from vitzoo.model.timm_names import MLP
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.tables.values import number, shown

#: Attention heads by the size in an architecture's name; no weight tells them.
HEADS = {"tiny": 3, "small": 6, "base": 12, "large": 16, "huge": 16, "giant": 16, "gigantic": 16}
_PLAIN = re.compile(rf"(?:vit|deit)_({'|'.join(HEADS)})_patch[0-9]+_[0-9]+(?:_in21k|_dino|_sam)?")
_OTHER_PLAIN = {"test_vit": 2, MLP: HEADS["small"]}
#: Arguments that change shapes, which the weights tell themselves, and what only matters while a model is trained.
_FREE = {"img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "head_hidden", "num_classes"}
_FREE |= {"drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate"}
_FREE |= {"weight_init", "fix_init", "dynamic_img_size", "dynamic_img_pad"}
#: Arguments that a plain ViT has at these values only.
_FIXED: dict[str, tuple[Any, ...]] = {
    "in_chans": (3,),
    "global_pool": ("token",),
    "qkv_bias": (True,),
    "qk_norm": (False,),
    "proj_bias": (True,),
    "init_values": (None,),
    "class_token": (True,),
    "pos_embed": ("learn",),
    "no_embed_class": (False,),
    "reg_tokens": (0,),
    "pre_norm": (False,),
    "final_norm": (True,),
    "fc_norm": (None, False),
    "act_layer": (None, "gelu"),
    "norm_layer": (None, "layernorm"),
}


def heads_of(architecture: object) -> int | None:
    """Return the attention heads of a plain ViT by its name in timm, ``None`` if it is no plain one.

    >>> heads_of("vit_base_patch16_224.augreg_in21k"), heads_of("vit_base_patch16_clip_224")
    (12, None)
    """
    if not isinstance(architecture, str):
        return None
    name = architecture.partition(".")[0]
    match = _PLAIN.fullmatch(name)
    return HEADS[match[1]] if match else _OTHER_PLAIN.get(name)


def read(config: Mapping[str, Any]) -> Facts:
    """Return what a config says; InputError, a clause, if its model is not the ViT of a zoo.

    >>> read({"architecture": "vit_tiny_patch16_224", "num_classes": 10}).recipe
    {'architecture': {'heads': 3}}
    """
    name, args = config["architecture"], config.get("model_args")
    args = args if isinstance(args, dict) else {}
    heads = heads_of(name)
    if heads is None:
        raise InputError(f"its architecture {shown(name)} is not the plain ViT that a zoo holds")
    _check(args | ({"global_pool": config["global_pool"]} if config.get("global_pool") else {}))
    cfg = config.get("pretrained_cfg")
    cfg = cfg if isinstance(cfg, dict) else config  # an older config is all one level
    _check_input(args.get("img_size"), cfg.get("input_size"))
    if config.get("num_classes", cfg.get("num_classes")) == 0:
        raise InputError("it has no classification head (num_classes 0)")
    facts = Facts()
    facts.set("architecture", "heads", _heads(args, heads))
    return facts


def normalisation(config: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return mean and deviation of the images, as far as a config gives three sound numbers for each."""
    cfg = config.get("pretrained_cfg")
    cfg = cfg if isinstance(cfg, dict) else config
    return triples({"mean": cfg.get("mean"), "std": cfg.get("std")})


def triples(said: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return those of ``mean`` and ``std`` that are three numbers, deviations greater than 0."""
    found = {}
    for name, value in said.items():
        sound = isinstance(value, list) and len(value) == 3 and all(number(part) is not None for part in value)
        if sound and (name != "std" or min(value) > 0):
            found[name] = [float(part) for part in value]
    return found


def _heads(args: Mapping[str, Any], default: int) -> int:
    heads = args.get("num_heads", default)
    if type(heads) is not int or not 1 <= heads <= 64:
        raise InputError(f"its model_args have num_heads {shown(heads)}; a whole number from 1 to 64 belongs there")
    return heads


def _check(args: Mapping[str, Any]) -> None:
    for name, value in args.items():
        if name in _FREE:
            continue
        if name not in _FIXED:
            raise InputError(f"its model_args have {shown(name)} {shown(value)}, which the plain ViT of a zoo has not")
        if not any(value == plain and type(value) is type(plain) for plain in _FIXED[name]):
            wanted = shown(_FIXED[name][-1])
            raise InputError(f"it has {name} {shown(value)}, where the plain ViT that a zoo holds has {wanted}")


def _check_input(image: Any, size: Any) -> None:
    if isinstance(image, list) and len(set(map(str, image))) > 1:
        raise InputError(f"its images of {shown(image)} pixels are not square")
    if isinstance(size, list) and size and (size[0] != 3 or len(set(map(str, size[1:]))) > 1):
        raise InputError(f"its images of {shown(size)} are not square with three channels")
