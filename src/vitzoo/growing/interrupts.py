"""SIGINT and SIGTERM as an error at the next tick, so that workers are stopped in order."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vitzoo.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give a function that raises Interrupted once a signal has come; elsewhere than in the main thread none does.

    >>> with interruptible() as check:
    ...     check()
    """
    received: list[int] = []

    def check() -> None:
        if received:
            raise Interrupted(
                f"Stopped by {signal.Signals(received[0]).name}. Everything committed is kept; "
                "run the same command again to go on where it stopped.",
                received[0],
            )

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    old = {number: signal.signal(number, lambda number, frame: received.append(number)) for number in SIGNALS}
    try:
        yield check
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
