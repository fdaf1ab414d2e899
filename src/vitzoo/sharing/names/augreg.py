"""AugReg's NumPy archives (Steiner et al. 2021), Flax's names of a ViT's parameters, under timm's names.

What differs: attention keeps an axis for its heads and separate queries, keys and values; dense kernels are transposed;
the patches' kernel has its channels last. Only axes are moved, so no number changes.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError

if TYPE_CHECKING:
    import numpy as np

_BLOCK = re.compile(r"Transformer/encoderblock_([0-9]{1,3})/.+")
_ATTENTION = "MultiHeadDotProductAttention_1"
_PARTS = ("query", "key", "value")
#: Parts that some ViTs have and those of a zoo have not.
_FOREIGN = (
    (re.compile(r"pre_logits/"), "a layer between the class token and the head (pre_logits)"),
    (re.compile(r"(conv_root|gn_root|block[0-9]+)/"), "a ResNet before the transformer, so it is a hybrid"),
    (re.compile(r"MAPHead_"), "attention pooling instead of a class token"),
)


def to_timm(state: Mapping[str, Any]) -> "dict[str, np.ndarray]":
    """Return the tensors of a plain ViT under timm's names, in timm's order, with the numbers and types they have.

    InputError names the first tensor that is missing, unknown or without the axes it should have.
    """
    import numpy as np

    arrays = {name: np.asarray(value) for name, value in state.items()}
    _refuse_foreign(arrays)
    found: dict[str, np.ndarray] = {
        "cls_token": _take(arrays, "cls", 3),
        "pos_embed": _take(arrays, "Transformer/posembed_input/pos_embedding", 3),
        "patch_embed.proj.weight": _take(arrays, "embedding/kernel", 4).transpose(3, 2, 0, 1),
        "patch_embed.proj.bias": _take(arrays, "embedding/bias", 1),
    }
    for number in _blocks(arrays):
        found |= {f"blocks.{number}.{name}": array for name, array in _block(arrays, number).items()}
    found |= _norm(arrays, "Transformer/encoder_norm", "norm") | _dense(arrays, "head", "head")
    if arrays:
        raise InputError(f"A plain ViT of AugReg has no tensor {next(iter(arrays))[:80]!r}.")
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


def heads(state: Mapping[str, Any]) -> int:
    """Return the number of attention heads, which these archives tell by an axis of their own.

    >>> import numpy as np
    >>> heads({f"Transformer/encoderblock_0/{_ATTENTION}/query/kernel": np.zeros((192, 3, 64))})
    3
    """
    name = f"Transformer/encoderblock_0/{_ATTENTION}/query/kernel"
    return int(_take(dict(state), name, 3).shape[1])


def _block(arrays: "dict[str, np.ndarray]", number: int) -> "dict[str, np.ndarray]":
    import numpy as np

    place = f"Transformer/encoderblock_{number}"
    kernels = [_take(arrays, f"{place}/{_ATTENTION}/{part}/kernel", 3) for part in _PARTS]
    biases = [_take(arrays, f"{place}/{_ATTENTION}/{part}/bias", 2) for part in _PARTS]
    out = _take(arrays, f"{place}/{_ATTENTION}/out/kernel", 3)
    return {
        **_norm(arrays, f"{place}/LayerNorm_0", "norm1"),
        "attn.qkv.weight": np.concatenate([kernel.reshape(len(kernel), -1).T for kernel in kernels]),
        "attn.qkv.bias": np.concatenate([bias.reshape(-1) for bias in biases]),
        "attn.proj.weight": out.reshape(-1, out.shape[2]).T,
        "attn.proj.bias": _take(arrays, f"{place}/{_ATTENTION}/out/bias", 1),
        **_norm(arrays, f"{place}/LayerNorm_2", "norm2"),
        **_dense(arrays, f"{place}/MlpBlock_3/Dense_0", "mlp.fc1"),
        **_dense(arrays, f"{place}/MlpBlock_3/Dense_1", "mlp.fc2"),
    }


def _norm(arrays: "dict[str, np.ndarray]", place: str, name: str) -> "dict[str, np.ndarray]":
    return {f"{name}.weight": _take(arrays, f"{place}/scale", 1), f"{name}.bias": _take(arrays, f"{place}/bias", 1)}


def _dense(arrays: "dict[str, np.ndarray]", place: str, name: str) -> "dict[str, np.ndarray]":
    return {f"{name}.weight": _take(arrays, f"{place}/kernel", 2).T, f"{name}.bias": _take(arrays, f"{place}/bias", 1)}


def _take(arrays: "dict[str, np.ndarray]", name: str, axes: int) -> "np.ndarray":
    """Remove a tensor from those that are left and return it, if it has so many axes of floating-point numbers."""
    array = arrays.pop(name, None)
    if array is None:
        raise InputError(f"This is no ViT of AugReg: it has no tensor {name!r}.")
    if array.ndim != axes or array.dtype.kind != "f":
        has = f"shape {list(array.shape)[:8]} and type {array.dtype}"
        raise InputError(f"Tensor {name!r} has {has}; one of floating-point numbers with {axes} axes belongs there.")
    return array


def _blocks(arrays: "dict[str, np.ndarray]") -> range:
    """Numbers of the blocks, which have no gap: a missing one is found missing when its tensors are taken."""
    numbers = [int(match[1]) for match in map(_BLOCK.fullmatch, arrays) if match]
    return range(max(numbers, default=-1) + 1)


def _refuse_foreign(arrays: "dict[str, np.ndarray]") -> None:
    for pattern, what in _FOREIGN:
        if name := next((name for name in arrays if pattern.match(name)), None):
            raise InputError(f"This model has {what}: tensor {name[:80]!r}. A zoo holds plain ViTs.")
