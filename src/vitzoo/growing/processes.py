"""Processes that belong to another: they end with it, and a Ctrl-C is its business, not theirs."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent, so that nobody writes to a zoo without its lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def ignore_interrupt() -> None:
    """Leave SIGINT to the parent: a terminal signals the whole group, and the parent decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def interrupt_blocked() -> Iterator[None]:
    """Hold SIGINT back while processes start: they inherit that, and so die of no Ctrl-C before they can ignore it."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def fate(code: int | None) -> str:
    """Say how a process ended, by its exit code as multiprocessing gives it.

    >>> fate(-9)
    'was ended by SIGKILL; out of memory is the usual reason'
    >>> fate(1)
    'ended with code 1'
    """
    if code is None or code >= 0:
        return f"ended with code {code}"
    cause = "; out of memory is the usual reason" if code == -signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-code).name}{cause}"
