"""Keep freed memory instead of giving it back to the kernel after every step.

glibc hands large blocks back at once, and a training step asks for the same hundred blocks again. What the page faults
cost depends on sizes and on the neighbours: from nothing to a fifth of a step (docs/log.md). Elsewhere than on glibc
this does nothing.
"""

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Tell the C allocator of this process to keep what is freed; return whether it listened."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(
        mallopt(*setting) for setting in ((M_MMAP_THRESHOLD, GIB), (M_TRIM_THRESHOLD, GIB), (M_TOP_PAD, GIB >> 4))
    )
