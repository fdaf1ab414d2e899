"""The chaos game in C for CPU tensors: ``chaos.c``, compiled for this machine, with the bits of torch's operations."""

import ctypes
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from vitzoo import native
from vitzoo.errors import InputError

FLAGS = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
TARGETS = (("-march=native",), ("-mcpu=native",), ())
MAPS = 8  # of a system, as chaos.c has it


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Load the functions; None where torch has to do without: no compiler, or torch rounds otherwise than they do."""
    if not _rounds_once():
        return None
    try:
        return native.load(Path(__file__).with_name("chaos.c"), FLAGS, TARGETS)
    except InputError:
        return None


def _rounds_once() -> bool:
    """Whether ``addcmul`` rounds once, as C's fmaf does; torch sees to that on any x86 processor since 2013."""
    near = torch.full((64,), 1 + 2.0**-12)
    return bool((torch.addcmul(torch.full((64,), -1.0), near, near) == 2.0**-11 + 2.0**-24).all())


def counts(
    maps: Tensor, ends: Tensor, shift: Tensor, flips: Tensor, choices: Tensor, burn_in: int, size: int, margin: float
) -> Tensor:
    """Count the points in every pixel, int32 [B, size, size], as ``render.counts``; ``choices``: [steps, 1, W]."""
    kept, walkers = len(choices) - burn_in, choices.shape[2]
    space = torch.empty((6 + 2 * kept) * walkers)
    found = torch.zeros(len(maps), size, size, dtype=torch.int32)
    arguments = (maps, ends, shift, flips, choices, burn_in, kept, walkers, size, margin, space, found)
    _call("chaos_count", len(maps), *arguments)
    return found


def colour(counts: Tensor, palette: Tensor, out: Tensor) -> None:
    """Look up packed colours, int32 [B, V], by counts, int32 [B, size, size].

    ``out``: uint8 [B, 3, size, size], in planes or a view of interleaved [B, size, size, 3].
    """
    batch, pixels = len(counts), counts[0].numel()
    if out.shape != (batch, 3, *counts.shape[1:]) or not (out.is_contiguous() or _interleaved(out)):
        raise ValueError(f"there are no images in planes, nor interleaved ones, of strides {out.stride()}")
    plane, step = out.stride(1), out.stride(3)
    _call("chaos_colour", batch, pixels, counts, palette, palette.shape[1], plane, step, out.data_ptr())


def _interleaved(out: Tensor) -> bool:
    return out.permute(0, 2, 3, 1).is_contiguous()


def _call(name: str, *arguments: Tensor | float) -> None:
    # The list keeps copies of what was not contiguous alive until the call has returned.
    kept = [each.contiguous() if isinstance(each, Tensor) else each for each in arguments]
    getattr(library(), name)(*map(_passed, kept))


def _passed(argument: Tensor | float) -> ctypes.c_void_p | ctypes.c_long | ctypes.c_double:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    return ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_double(argument)
