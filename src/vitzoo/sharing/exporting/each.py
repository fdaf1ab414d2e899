"""The same for many checkpoints: a few threads, because reading, hashing and writing let go of the interpreter."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from vitzoo.sharing.exporting.contract import Tell

T = TypeVar("T")
THREADS = min(4, os.cpu_count() or 1)  # each holds one checkpoint in memory


def each(work: Callable[[T], None], items: Sequence[T], what: str, tell: Tell) -> None:
    """Do something for every item and tell how far it is; after the first error nothing more is begun."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = [pool.submit(work, item) for item in items]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                tell(what, done, len(items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
