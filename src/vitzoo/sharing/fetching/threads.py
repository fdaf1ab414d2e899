"""Many things at once, in threads that end with the program."""

from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Done = tuple[T, R | None, BaseException | None]
LEAVE = 2.0  # seconds for threads to end when their caller does
_END: Any = object()


def each(function: Callable[[T], R], items: Iterable[T], threads: int, stop: Event) -> Iterator[Done[T, R]]:
    """Yield every item with what the function returned or raised for it, as they are done.

    Where the loop is left by an error, ``stop`` is set, which ends what is under way. The threads are daemons and not
    waited for long, because a silent server must not keep the program from ending.

    >>> sorted((item, result) for item, result, error in each(abs, [-2, 1], 2, Event()))
    [(-2, 2), (1, 1)]
    """
    waiting, lock, done = iter(items), Lock(), SimpleQueue[Any]()

    def work() -> None:
        while not stop.is_set():
            with lock:
                item = next(waiting, _END)
            if item is _END:
                break
            try:
                done.put((item, function(item), None))
            except BaseException as error:
                done.put((item, None, error))
        done.put(_END)

    workers = [Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    working = threads
    try:
        while working:
            result = done.get()
            if result is _END:
                working -= 1
            else:
                yield result
    finally:
        if working:
            stop.set()
            for worker in workers:
                worker.join(LEAVE / threads)
