"""State dicts of other programs become tensors under timm's names, whatever they were wrapped in.

``{"state_dict": …}`` and its like are opened, prefixes of wrappers (``module.``, ``_orig_mod.``, ``vit.``) removed, and
the names of Hugging Face and of AugReg's NumPy files translated. Values are NumPy arrays, or whatever has a shape.
"""

from collections.abc import Mapping
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing.names import augreg, huggingface

#: Keys under which programs keep the weights in a larger checkpoint, the most telling first.
NESTS = ("model_state_dict", "state_dict", "model_state", "model")
#: What data parallelism, torch.compile and the published zoo's module put in front of every name.
PREFIXES = ("module.", "_orig_mod.", "model.", "vit.")
HUGGING_FACE = "embeddings.cls_token"
AUGREG = "Transformer/encoder_norm/scale"
_DEPTH = 4  # nests or prefixes within each other, at most

Tensors = dict[str, Any]


def to_timm(value: Any) -> Tensors:
    """Return the tensors of a checkpoint under timm's names; InputError if it is no state dict.

    >>> import numpy as np
    >>> list(to_timm({"epoch": 3, "model_state_dict": {"module.vit.norm.bias": np.zeros(2)}}))
    ['norm.bias']
    """
    state = strip(unwrap(value))
    if any(name.endswith(HUGGING_FACE) for name in state):
        return huggingface.to_timm(state)
    if AUGREG in state:
        return augreg.to_timm(state)
    return state


def unwrap(value: Any) -> Tensors:
    """Return the state dict that lies in a checkpoint, at most four deep; InputError if there is none."""
    for _ in range(_DEPTH):
        if not isinstance(value, Mapping):
            break
        if nest := next((key for key in NESTS if isinstance(value.get(key), Mapping)), None):
            value = value[nest]
            continue
        odd = [name for name, tensor in value.items() if not isinstance(name, str) or not hasattr(tensor, "shape")]
        if odd or not value:
            what = f"{str(odd[0])[:60]!r} is no tensor" if odd else "it is empty"
            raise InputError(f"This is no state dict: {what}.")
        return dict(value)
    raise InputError(f"This is no state dict but {type(value).__name__}; one maps names to tensors.")


def strip(state: Tensors) -> Tensors:
    """Remove what every name begins with if a wrapper put it there; Hugging Face's ``vit.`` is its own business."""
    if any(name.endswith(HUGGING_FACE) for name in state):
        return _without(state, PREFIXES[:-2])
    return _without(state, PREFIXES)


def _without(state: Tensors, prefixes: tuple[str, ...]) -> Tensors:
    for _ in range(_DEPTH):
        prefix = next((p for p in prefixes if all(name.startswith(p) for name in state)), None)
        if prefix is None:
            break
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state
