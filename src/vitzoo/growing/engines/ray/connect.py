"""Starting a Ray of our own, or connecting to a cluster; what goes wrong is one sentence, and soon."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vitzoo.errors import InputError
from vitzoo.growing.cost import available_cores

CONNECT_SECONDS = 5.0
STORE_BYTES = 128 << 20  # only events pass through it
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # and empty settings: RFC 9113, 3.4
SETTINGS = 4


def connect(address: str | None) -> None:
    """Connect this process to the cluster at ``address`` (HOST:PORT), or start a Ray on this machine.

    Raises:
        InputError: nothing answers there, it is no Ray cluster, or it does not let this process in.
    """
    if address is not None:
        check_reachable(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported: it tells nobody that it was started
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    settings: dict[str, Any] = {"address": address} if address else own_machine()
    try:
        with _our_signal_handlers():
            ray.init(**settings, log_to_driver=False, configure_logging=False)
    except (Exception, SystemExit) as error:  # it ends the process where a version or a token does not fit
        where = f"The Ray cluster at {address}" if address else "Ray on this machine"
        reason = " ".join(str(error).split())[:400]
        raise InputError(
            f"{where} cannot be used: {reason}. Every node needs the same versions of Python and Ray, and vitzoo runs "
            "on one of them."
        ) from None


def own_machine() -> dict[str, Any]:
    """Settings of a Ray of our own: the cores we may use, little memory, and no dashboard."""
    return {
        "address": "local",
        "num_cpus": available_cores(),
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
    }


def check_reachable(address: str) -> None:
    """Make sure within seconds that something at the address speaks Ray's protocol; Ray itself would try for minutes.

    >>> check_reachable("localhost")
    Traceback (most recent call last):
    vitzoo.errors.InputError: --address 'localhost' is not HOST:PORT, such as 10.0.0.1:6379.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise InputError(f"--address {address!r} is not HOST:PORT, such as 10.0.0.1:6379.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS) as connection:
            connection.sendall(PREFACE)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"No Ray cluster answers at {address}: {reason}. `ray start --head` on its first machine prints the "
            "address; it must be reachable from here."
        ) from None
    if len(answer) < 4 or answer[3] != SETTINGS:
        raise InputError(f"What answers at {address} is no Ray cluster. `ray start --head` prints the right address.")


@contextmanager
def _our_signal_handlers() -> Iterator[None]:
    """Keep the handlers that are set: Ray sets its own, which would end the process instead of stopping the work."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
