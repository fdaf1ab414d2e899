"""A real nginx on loopback that serves a folder with its JSON index, as the published zoo is served."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")

_CONFIG = """
daemon off;
master_process off;
pid {home}/pid;
error_log {home}/error.log warn;
events {{ worker_connections 256; }}
http {{
    log_format bytes '$request_method $uri $status $body_bytes_sent $http_range';
    access_log {home}/access.log bytes;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            root {root};
            autoindex on;
            autoindex_format {index};
            {limit}
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Request:
    """A line of the access log: a path, the answer's status, and the bytes of its body."""

    method: str
    path: str
    status: int
    sent: int
    range: str | None

    @property
    def is_index(self) -> bool:
        return self.path.endswith("/")


class Nginx:
    """A server of ``root`` that can be killed, and started again at the same address."""

    def __init__(self, root: Path, home: Path, index: str = "json") -> None:
        self.root, self.home, self.index = root, home, index
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self, rate: str | None = None) -> None:
        """Serve, each connection at ``rate`` bytes a second at most (``"200k"``)."""
        assert PROGRAM
        limit = f"limit_rate {rate};" if rate else ""
        text = _CONFIG.format(home=self.home, root=self.root, port=self.port, index=self.index, limit=limit)
        (self.home / "nginx.conf").write_text(text)
        home = str(self.home)
        command = [PROGRAM, "-p", home, "-c", f"{home}/nginx.conf", "-e", f"{home}/error.log"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def kill(self) -> None:
        """End it at once, in the middle of whatever it sends."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order: what it has logged is on disk then."""
        self._end(signal.SIGTERM)

    def requests(self) -> list[Request]:
        """What was asked for so far; a request that a kill cut off has no line."""
        log = self.home / "access.log"
        return [_request(line) for line in log.read_text().splitlines()] if log.exists() else []

    def forget(self) -> None:
        """Empty the log."""
        (self.home / "access.log").write_text("")

    def _end(self, number: int) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def _wait(self) -> None:
        for _ in range(200):
            assert self._process and self._process.poll() is None, (self.home / "error.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("nginx does not listen")


@contextmanager
def serving(root: Path, home: Path, rate: str | None = None, index: str = "json") -> Iterator[Nginx]:
    """Serve a folder while the context lasts; ``home`` is an empty folder for what nginx writes."""
    home.mkdir(parents=True, exist_ok=True)
    server = Nginx(root, home, index)
    server.start(rate)
    try:
        yield server
    finally:
        server.stop()


def _request(line: str) -> Request:
    method, rest = line.split(" ", 1)
    path, status, sent, asked = rest.rsplit(" ", 3)
    return Request(method, path, int(status), int(sent), None if asked == "-" else asked)
