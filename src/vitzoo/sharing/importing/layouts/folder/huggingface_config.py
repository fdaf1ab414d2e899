"""Hugging Face's ``config.json`` of a ViT, and ``preprocessor_config.json`` beside it.

Of LayerNorm's ε: vitzoo computes with 1e-6, as timm does and as the published ViTs were trained (Flax's default), while
Hugging Face's default is 1e-12. It matters: logits differ by up to 4e-4 of the largest (25 trained members of a zoo, at
most 1.5e-4; two fresh models, 4e-4), some hundred times the rounding of single precision. So ε up to 1e-6 is imported
and noted, the weights as they are; a larger one is another function, with 1e-5 ten times as far away.
"""

from collections.abc import Mapping
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.layouts.folder.timm_config import triples
from vitzoo.sharing.importing.tables.values import number, shown

EPS = 1e-6  # vitzoo.model.vit.EPS, which imports torch; a test holds the two together
DEFAULT_EPS = 1e-12
CLASSIFIER = "ViTForImageClassification"
#: Why relatives of the ViT are not it.
_RELATIVES = {
    "deit": "it has a distillation token",
    "beit": "its attention has relative positions",
    "data2vec-vision": "its attention has relative positions",
    "dinov2": "its blocks have LayerScale",
    "dinov2_with_registers": "it has register tokens",
    "dinov3_vit": "its positions are rotary",
    "vit_hybrid": "it begins with a ResNet",
    "vit-hybrid": "it begins with a ResNet",
    "vit_mae": "it has a decoder and no classification head",
    "siglip_vision_model": "it has attention pooling instead of a class token",
    "clip_vision_model": "it has a norm before its blocks",
}
_PLAIN: dict[str, Any] = {"hidden_act": "gelu", "qkv_bias": True, "num_channels": 3}


def read(config: Mapping[str, Any]) -> Facts:
    """Return what a config says; InputError, a clause, if its model is not the ViT of a zoo.

    >>> facts = read({"model_type": "vit", "num_attention_heads": 6})
    >>> facts.recipe, facts.notes[0][:47]
    ({'architecture': {'heads': 6}}, 'its LayerNorm has ε 1e-12, a zoo computes with ')
    """
    kind = config["model_type"]
    if kind != "vit":
        why = _RELATIVES.get(kind) if isinstance(kind, str) else None
        raise InputError(f"its model_type is {shown(kind)}, not 'vit'{f': {why}' if why else ''}")
    _check(config)
    facts = Facts()
    facts.set("architecture", "heads", _heads(config))
    eps = number(config.get("layer_norm_eps", DEFAULT_EPS))
    if eps is None or not 0 <= eps <= EPS:
        raise InputError(f"its LayerNorm has ε {shown(config.get('layer_norm_eps'))}; a zoo computes with {EPS:g}")
    if eps != EPS:
        facts.notes.append(
            f"its LayerNorm has ε {eps:g}, a zoo computes with {EPS:g}: logits differ by less than 0.1 % of the largest"
        )
    name = config.get("_name_or_path")
    if isinstance(name, str) and name:
        facts.descend(name)
    return facts


def normalisation(preprocessor: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return mean and deviation of the images, of values in [0, 1], from ``preprocessor_config.json``.

    >>> normalisation({"image_mean": [0.5, 0.5, 0.5], "image_std": [0, 1, 1], "rescale_factor": 1 / 255})
    {'mean': [0.5, 0.5, 0.5]}
    """
    if preprocessor.get("do_normalize") is False or preprocessor.get("do_rescale") is False:
        return {}  # what the numbers then apply to is not known
    return triples({"mean": preprocessor.get("image_mean"), "std": preprocessor.get("image_std")})


def _check(config: Mapping[str, Any]) -> None:
    classes = config.get("architectures")
    if isinstance(classes, list) and classes and CLASSIFIER not in classes:
        raise InputError(f"it is a {shown(classes[0])}, which has no classification head; {CLASSIFIER} has one")
    for name, plain in _PLAIN.items():
        value = config.get(name, plain)
        if value != plain or type(value) is not type(plain):
            raise InputError(f"it has {name} {shown(value)}, where the plain ViT that a zoo holds has {shown(plain)}")
    for name in ("image_size", "patch_size"):
        value = config.get(name)
        if isinstance(value, list) and len(set(map(str, value))) > 1:
            raise InputError(f"its {name} of {shown(value)} is not square")


def _heads(config: Mapping[str, Any]) -> int:
    heads = config.get("num_attention_heads", 12)
    if type(heads) is not int or not 1 <= heads <= 64:
        raise InputError(f"its num_attention_heads is {shown(heads)}; a whole number from 1 to 64 belongs there")
    return heads
