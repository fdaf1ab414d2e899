"""Threads over the cores for stacks of models, which stop when their caller does."""

from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import torch

from vitzoo.training.evaluate import Beat


@contextmanager
def workers(jobs: int, device: str) -> Iterator[tuple[ThreadPoolExecutor, Beat]]:
    """Give a pool of threads over the cores, each stack on one of them; with fewer stacks than cores, all to each.

    What runs in them calls the second thing before every batch; it raises once the caller was interrupted, who would
    otherwise wait for stacks that take minutes.
    """
    cores, stopped = torch.get_num_threads(), Event()
    threads = max(1, min(jobs, cores)) if device == "cpu" else 1

    def beat(share: float) -> None:
        if stopped.is_set():
            raise CancelledError

    torch.set_num_threads(max(1, cores // threads))
    try:
        with ThreadPoolExecutor(threads) as pool:
            try:
                yield pool, beat
            except BaseException:
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        torch.set_num_threads(cores)
