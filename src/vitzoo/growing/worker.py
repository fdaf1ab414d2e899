"""A worker process: takes jobs from a pipe, does them one after another, tells what happens."""

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection

from vitzoo.errors import VitzooError
from vitzoo.growing.events import Event, JobDone, JobFailed, JobStopped, Stepped
from vitzoo.growing.jobs import GrowPopulation, Job
from vitzoo.growing.memory import keep_freed_memory

PR_SET_PDEATHSIG = 1
PATIENCE = 0.1  # seconds in which an idle worker notices that it is to stop


class Stopped(Exception):
    """Raised at a step boundary after the grower asked to stop."""


def main(pipe: Connection, threads: int, grower: int) -> None:
    """Serve jobs until the pipe closes; SIGTERM ends the current one at its next step."""
    _die_with(grower)
    keep_freed_memory()
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals the whole group; the grower decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:  # the writer thread tells too
            pipe.send(event)

    import torch

    torch.set_num_threads(threads)
    try:
        while not stop.is_set():
            if pipe.poll(PATIENCE):  # not recv alone, which would sleep through SIGTERM
                tell(_do(pipe.recv(), tell, stop))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the grower is gone, and with it the reason to work


def _do(job: Job, tell: Callable[[Event], None], stop: threading.Event) -> Event:
    last = time.monotonic()

    def beat(share: float) -> None:
        nonlocal last
        if stop.is_set():
            raise Stopped
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            tell(Stepped(job.id, share))

    try:
        from vitzoo.growing import populate  # torch: only workers need it

        if isinstance(job, GrowPopulation):
            populate.grow(job, tell, beat)
        else:
            populate.prepare(job, tell)
    except Stopped:
        return JobStopped(job.id)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except VitzooError as error:
        return JobFailed(job.id, str(error), error.exit_code, traceback.format_exc())
    except Exception as error:
        return JobFailed(job.id, f"{type(error).__name__}: {error}", 1, traceback.format_exc())
    return JobDone(job.id)


def _die_with(grower: int) -> None:
    """Ask the kernel to end this process with its grower, so that nobody writes to a zoo without holding its lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != grower:
        sys.exit(1)
