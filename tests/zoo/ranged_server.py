"""A web server for tests that knows ranges, writes down what it sends, and can be told to misbehave."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Sent:
    """One answer: the path, the first byte and the one behind the last, and whether it was a part."""

    path: str
    begin: int
    end: int
    status: int

    @property
    def size(self) -> int:
        return self.end - self.begin


@dataclass
class Answer:
    """What is about to be sent; a test may change anything."""

    status: int
    headers: dict[str, str]
    body: bytes


Trick = Callable[[str, Answer], Answer | None]  # None: say nothing, cut the connection


@dataclass
class Ranged:
    """A running server of a directory."""

    url: str
    root: Path
    sent: list[Sent] = field(default_factory=list)
    trick: Trick | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def take(self) -> list[Sent]:
        """Return what was sent since the last call."""
        found = list(self.sent)
        self.sent.clear()
        return found


@contextmanager
def serving(root: Path, prefix: str = "") -> Iterator[Ranged]:
    """Serve a directory on this machine, below ``prefix``."""
    state = Ranged("", root)
    server = _Server(("127.0.0.1", 0), partial(_Handler, state, prefix))
    state.url = f"http://127.0.0.1:{server.server_port}{prefix}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up, which is what they are to do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, state: Ranged, prefix: str, *arguments) -> None:
        self.state, self.prefix = state, prefix
        super().__init__(*arguments)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix(self.prefix).lstrip("/")
        self.state.asked.append({"path": path, **self.headers})
        answer, begin = self._answer(self.state.root / path)
        if self.state.trick is not None:
            changed = self.state.trick(path, answer)
            if changed is None:
                self.close_connection = True
                return
            answer = changed
        self.state.sent.append(Sent(path, begin, begin + len(answer.body), answer.status))
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _answer(self, file: Path) -> tuple[Answer, int]:
        if not file.is_file():
            return Answer(404, {}, b""), 0
        data = file.read_bytes()
        headers = {"ETag": f'"{sha256(data).hexdigest()[:16]}"'}
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not match:
            return Answer(200, headers, data), 0
        begin, last = int(match[1]), min(int(match[2]), len(data) - 1)
        if begin > last:
            return Answer(416, headers | {"Content-Range": f"bytes */{len(data)}"}, b""), 0
        headers["Content-Range"] = f"bytes {begin}-{last}/{len(data)}"
        return Answer(206, headers, data[begin : last + 1]), begin
