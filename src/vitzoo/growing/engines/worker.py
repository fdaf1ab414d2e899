"""A worker process of the local engine: takes jobs from a pipe, does them one after another, tells what happens."""

import signal
import sys
import threading
from multiprocessing.connection import Connection

from vitzoo.growing.engines.doing import do
from vitzoo.growing.events import Event
from vitzoo.growing.memory import keep_freed_memory
from vitzoo.growing.processes import die_with, ignore_interrupt

PATIENCE = 0.1  # seconds in which an idle worker notices that it is to stop


def main(pipe: Connection, grower: int) -> None:
    """Serve jobs until the pipe closes; SIGTERM ends the current one at its next step."""
    die_with(grower)
    keep_freed_memory()
    stop = threading.Event()
    ignore_interrupt()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    lock = threading.Lock()

    def tell(event: Event) -> None:
        try:
            with lock:  # the writer thread tells too
                pipe.send(event)
        except (BrokenPipeError, ConnectionResetError):
            sys.exit(1)  # the grower is gone, and with it the reason to work

    try:
        while not stop.is_set():
            if pipe.poll(PATIENCE):  # not recv alone, which would sleep through SIGTERM
                tell(do(pipe.recv(), tell, stop.is_set))
    except (EOFError, ConnectionResetError):
        return
