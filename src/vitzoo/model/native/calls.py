"""Call the C kernels on tensors, and memory for what does not outlive a call."""

import ctypes
import math
import threading

import torch
from torch import Tensor

from vitzoo.model.native.build import library

SUFFIX = {torch.float32: "f32", torch.bfloat16: "bf16"}
_spaces = threading.local()  # autograd may run in several threads


def has(dtype: torch.dtype) -> bool:
    """Tell whether the kernels were compiled for a dtype: float32 always, bf16 where the processor multiplies it."""
    return dtype in SUFFIX and hasattr(library(), f"sum_rows_{SUFFIX[dtype]}")


def call(name: str, dtype: torch.dtype, *arguments: Tensor | int) -> int:
    """Call a kernel with contiguous CPU tensors and numbers, in the order of its C declaration."""
    function = getattr(library(), f"{name}_{SUFFIX[dtype]}")
    function.restype = ctypes.c_long
    return function(*[_pointer(a) if isinstance(a, Tensor) else ctypes.c_long(a) for a in arguments])


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    if not tensor.is_contiguous():  # C would read what is not there
        raise ValueError(f"a kernel was given a tensor with strides {tensor.stride()} of shape {tuple(tensor.shape)}")
    return ctypes.c_void_p(tensor.data_ptr())


def workspace(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return memory that is overwritten by the next request of that name: warm in the cache, and never freed."""
    buffers: dict[str, Tensor] = _spaces.__dict__
    size, key = math.prod(shape), f"{name} {dtype}"
    if key not in buffers or buffers[key].numel() < size:
        buffers[key] = torch.empty(size, dtype=dtype)
    return buffers[key][:size].view(shape)
