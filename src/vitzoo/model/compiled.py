"""Compile a function of tensors with torch.compile: fewer, fused GPU kernels (PyTorch 2, Ansel et al. 2024).

A block is compiled, not the whole model: its code serves every layer, so compiling takes seconds, not minutes.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

#: Shapes of one function that may be compiled before PyTorch gives up: stacks differ in members, batches and heads.
SHAPES = 256


@lru_cache(maxsize=8)
def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the function compiled, once for every combination of shapes it meets.

    What cannot be compiled, or too many shapes, raises instead of being interpreted in silence.
    """
    torch._dynamo.config.recompile_limit = SHAPES
    torch._dynamo.config.accumulated_recompile_limit = SHAPES
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    return torch.compile(function, dynamic=False, fullgraph=True)
