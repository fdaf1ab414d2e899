"""Parameters of a batch of images: named tuples of NumPy arrays with one leading axis."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch

from vitzoo.data.transfer import send

Params = TypeVar("Params", bound=tuple)


def join(parts: Sequence[Params]) -> Params:
    """Concatenate the parameters of several batches along the leading axis."""
    if len(parts) == 1:
        return parts[0]
    return type(parts[0])(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def on(like: torch.Tensor, array: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Copy parameters to the device of ``like``; floats become float32 unless a dtype is named."""
    if dtype is None and array.dtype.kind == "f":
        dtype = torch.float32
    return send(array, like.device, dtype)
