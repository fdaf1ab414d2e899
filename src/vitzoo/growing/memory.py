"""What a training process does with memory: keep what is freed, and leave what stays out of the rounds for garbage.

glibc hands large blocks back at once, and a training step asks for the same hundred blocks again. What the page faults
cost depends on sizes and on the neighbours: from nothing to a fifth of a step (docs/log.md). Elsewhere than on glibc
this does nothing.
"""

import ctypes
import gc

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
GIB = 1 << 30


def leave_what_stays() -> None:
    """Take everything that exists now out of the rounds of Python's garbage collector.

    A training step makes many small objects, so the collector comes round often, and imported libraries alone are
    half a million objects to look at: a twelfth of a small model's step (docs/log.md).
    """
    gc.collect()
    gc.freeze()


def keep_freed_memory() -> bool:
    """Tell the C allocator of this process to keep what is freed; return whether it listened."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(
        mallopt(*setting) for setting in ((M_MMAP_THRESHOLD, GIB), (M_TRIM_THRESHOLD, GIB), (M_TOP_PAD, GIB >> 4))
    )
