"""What does not fit into memory is computed in smaller micro-batches, and said so."""

import ctypes
from collections.abc import Callable
from typing import TypeVar

import torch

from vitzoo.training.chunks import Chunks, chunks

Warn = Callable[[str], None]
T = TypeVar("T")

#: How allocators say it that raise neither MemoryError nor torch.OutOfMemoryError: PyTorch's on the CPU, C++, cuBLAS,
#: and oneDNN, which found no room for the code it writes (and says the same of the few shapes it does not know; such
#: an error comes back from the smallest micro-batch as it was).
SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "std::bad_alloc",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "could not create a primitive",
)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."))
    True
    >>> out_of_memory(RuntimeError("shapes do not fit"))
    False
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


class Fitting:
    """The size of micro-batches: ``micro`` tokens (None: all at once), halved whenever that does not fit.

    ``warn`` is told of it. ``reduced`` says whether it happened.
    """

    def __init__(self, micro: int | None = None, warn: Warn = lambda text: None):
        self.micro, self.reduced, self._warn = micro, False, warn

    def run(self, work: Callable[[Chunks], T], members: int, images: int, tokens: int) -> T:
        """Return ``work`` of the chunks of a batch, tried again with smaller ones as long as memory runs out.

        Raises the last error when one image of one member does not fit. ``work`` must be free of effects.
        """
        while True:
            cut = chunks(members, images, tokens, self.micro)
            try:
                return work(cut)
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error) or cut.largest <= 1:
                    raise
            self._halve(cut, tokens)  # not in the handler: the error's frames hold the memory

    def _halve(self, cut: Chunks, tokens: int) -> None:
        before = cut.largest * tokens
        self.micro, self.reduced = cut.largest // 2 * tokens, True
        hand_back()
        self._warn(
            f"{before:,} tokens at once did not fit into memory; going on with micro-batches of {self.micro:,} tokens."
        )


def hand_back() -> None:
    """Give memory that is freed but kept by the allocators back to whoever needs it: other sizes, oneDNN's code."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
