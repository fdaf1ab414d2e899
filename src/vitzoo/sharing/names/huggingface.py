"""Hugging Face's names of a ViT's tensors and timm's, both ways, on mappings of NumPy arrays.

Files of ``ViTForImageClassification`` put ``vit.`` in front of the backbone, those of ``ViTModel`` do not. Since
version 5 transformers calls the tensors otherwise in memory than in files, so both spellings are read; the one of the
files, which every version reads, is written. Query, key and value are three tensors there and one, ``attn.qkv``, here.
Modules: transformers ``models/vit/modeling_vit.py``, timm ``models/vision_transformer.py``.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from vitzoo.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    Tensors = Mapping[str, np.ndarray]

PREFIX = "vit."
PARTS = ("query", "key", "value")  # in the order of the rows of timm's attn.qkv
_BOTH = ("weight", "bias")
# Each of ours, and theirs: as files spell it, then as memory does.
_EDGES = {
    "cls_token": ("embeddings.cls_token",),
    "pos_embed": ("embeddings.position_embeddings",),
    **{f"patch_embed.proj.{kind}": (f"embeddings.patch_embeddings.projection.{kind}",) for kind in _BOTH},
    **{f"norm.{kind}": (f"layernorm.{kind}",) for kind in _BOTH},
    **{f"head.{kind}": (f"classifier.{kind}",) for kind in _BOTH},
}
_BLOCK = {
    "norm1": ("layernorm_before",),
    "attn.proj": ("attention.output.dense", "attention.o_proj"),
    "norm2": ("layernorm_after",),
    "mlp.fc1": ("intermediate.dense", "mlp.fc1"),
    "mlp.fc2": ("output.dense", "mlp.fc2"),
}
_QKV = {f"attention.attention.{part}": part for part in PARTS} | {f"attention.{part[0]}_proj": part for part in PARTS}
_OURS_OF_EDGE = {their: ours for ours, theirs in _EDGES.items() for their in theirs}
_OURS_OF_BLOCK = {their: ours for ours, theirs in _BLOCK.items() for their in theirs}
_OURS_OF_BLOCK |= {their: f"attn.qkv.{part}" for their, part in _QKV.items()}
_LAYER = re.compile(r"(?:encoder\.layer|layers)\.(0|[1-9][0-9]{0,3})\.(.+)\.(weight|bias)", re.ASCII)
_OUR_BLOCK = re.compile(r"blocks\.(0|[1-9][0-9]{0,3})\.(.+)\.(weight|bias)", re.ASCII)
_UNUSED = {
    "pooler.": "logits do not pass through the pooler, and timm's ViT has none",
    "embeddings.mask_token": "it stands for masked patches, and no image to be classified has any",
}


def unused(names: Iterable[str]) -> dict[str, str]:
    """Return the tensors that a classifier can do without, each with the reason, a clause without a full stop.

    ``to_timm`` refuses them, so that whoever leaves them out has to say so.

    >>> unused(["vit.embeddings.cls_token", "vit.pooler.dense.bias"])
    {'vit.pooler.dense.bias': "logits do not pass through the pooler, and timm's ViT has none"}
    """
    found = {}
    for name in names:
        for beginning, why in _UNUSED.items():
            if name.removeprefix(PREFIX).startswith(beginning):
                found[name] = why
    return found


def to_timm(tensors: "Tensors") -> "dict[str, np.ndarray]":
    """Return the tensors of a ``ViTForImageClassification`` or ``ViTModel`` under timm's names, in timm's order.

    A model without biases of query, key and value (``qkv_bias=False``) has no ``attn.qkv.bias`` then either.
    InputError names the first tensor that has no place, is there twice, lacks a companion or has another shape.

    >>> import numpy as np
    >>> bias = {f"vit.encoder.layer.0.attention.attention.{p}.bias": np.full(1, i) for i, p in enumerate(PARTS)}
    >>> to_timm(bias | {"classifier.bias": np.zeros(3)})
    {'blocks.0.attn.qkv.bias': array([0, 1, 2]), 'head.bias': array([0., 0., 0.])}
    """
    found: dict[str, np.ndarray] = {}
    origin: dict[str, str] = {}
    for name, array in tensors.items():
        ours = _ours(name)
        if ours in found:
            raise InputError(f"The tensors {origin[ours]!r} and {name!r} are the same one under two names; keep one.")
        found[ours], origin[ours] = array, name
    fused = _fused(found, origin)
    return {name: fused[name] for name in sorted(fused, key=_timm_order)}


def from_timm(tensors: "Tensors") -> "dict[str, np.ndarray]":
    """Return a timm ViT's tensors under Hugging Face's names, as their files spell them; views, nothing is copied.

    With a linear head they are those of ``ViTForImageClassification``, without a head those of ``ViTModel`` without
    its pooler. InputError names the first tensor that has no place, such as one of an MLP head.

    >>> import numpy as np
    >>> list(from_timm({"blocks.0.attn.qkv.bias": np.zeros(6)}))[1]
    'encoder.layer.0.attention.attention.key.bias'
    >>> list(from_timm({"norm.bias": np.zeros(2), "head.bias": np.zeros(3)}))
    ['vit.layernorm.bias', 'classifier.bias']
    """
    front = PREFIX if any(name.startswith("head.") for name in tensors) else ""
    found: dict[str, np.ndarray] = {}
    for name, array in tensors.items():
        for theirs, part in _theirs(name, array):
            found[theirs if theirs.startswith("classifier.") else front + theirs] = part
    return found


def _ours(name: str) -> str:
    """Return timm's name, with ``query``, ``key`` or ``value`` in it where timm has all three in one."""
    bare = name.removeprefix(PREFIX)
    if bare in _OURS_OF_EDGE:
        return _OURS_OF_EDGE[bare]
    match = _LAYER.fullmatch(bare)
    if match and match[2] in _OURS_OF_BLOCK:
        ours = _OURS_OF_BLOCK[match[2]]
        return f"blocks.{match[1]}.{_with_kind(ours, match[3])}"
    why = unused([name]).get(name)
    hint = f"Leave it out: {why}." if why else "Only ViTForImageClassification and ViTModel can be read."
    raise InputError(f"The tensor {name[:256]!r} has no place in timm's ViT. {hint}")


def _with_kind(ours: str, kind: str) -> str:
    """Put weight or bias before the part of qkv, if there is one: ``attn.qkv.bias.key``."""
    front, dot, part = ours.rpartition(".")
    return f"{front}.{kind}.{part}" if part in PARTS else f"{front}{dot}{part}.{kind}"


def _fused(found: "dict[str, np.ndarray]", origin: Mapping[str, str]) -> "dict[str, np.ndarray]":
    """Join query, key and value; InputError if one of the three lacks or differs in shape."""
    import numpy as np

    fused, waiting = {}, {}
    for name, array in found.items():
        whole, _, part = name.rpartition(".")
        if part in PARTS:
            waiting.setdefault(whole, {})[part] = array
        else:
            fused[name] = array
    for whole, parts in waiting.items():
        one = next(f"{whole}.{part}" for part in PARTS if part in parts)
        if lacking := [part for part in PARTS if part not in parts]:
            raise InputError(f"The tensor {origin[one]!r} has no companion for the {lacking[0]}; the file lacks it.")
        said = {part: f"{list(parts[part].shape)} of {parts[part].dtype}" for part in PARTS}
        for part in PARTS:
            if said[part] != said["query"] or parts[part].ndim == 0:
                raise InputError(
                    f"The tensor {origin[f'{whole}.{part}']!r} has shape {said[part]}, its companion "
                    f"{origin[f'{whole}.query']!r} has {said['query']}; they go into one tensor."
                )
        fused[whole] = np.concatenate([parts[part] for part in PARTS])
    return fused


def _theirs(name: str, array: "np.ndarray") -> "Iterable[tuple[str, np.ndarray]]":
    """Yield Hugging Face's names for one of timm's tensors, without prefix: three of them for qkv."""
    if name in _EDGES:
        yield _EDGES[name][0], array
        return
    match = _OUR_BLOCK.fullmatch(name)
    if match and match[2] in _BLOCK:
        yield f"encoder.layer.{match[1]}.{_BLOCK[match[2]][0]}.{match[3]}", array
    elif match and match[2] == "attn.qkv" and array.ndim and len(array) % 3 == 0:
        third = len(array) // 3
        for i, part in enumerate(PARTS):
            place = f"encoder.layer.{match[1]}.attention.attention.{part}.{match[3]}"
            yield place, array[i * third : (i + 1) * third]
    else:
        raise InputError(
            f"The tensor {name[:256]!r} has no place in Hugging Face's ViT. A linear head and a backbone as timm's "
            "vit_small_patch16_224 has it can be written; of other models take the backbone."
        )


_FIRST = ("cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias")
_IN_BLOCK = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")


def _timm_order(name: str) -> tuple[int, int, int, int]:
    """Sort as timm's state dict: embeddings, blocks by number, the last norm, the head; weights before biases."""
    if name in _FIRST:
        return 0, _FIRST.index(name), 0, 0
    if match := _OUR_BLOCK.fullmatch(name):
        return 1, int(match[1]), _IN_BLOCK.index(match[2]), _BOTH.index(match[3])
    part, kind = name.split(".")
    return 2, ("norm", "head").index(part), 0, _BOTH.index(kind)
