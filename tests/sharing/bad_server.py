"""A web server on loopback: files from memory with nginx's JSON index, and misbehaviour where it is told to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import unquote

MODIFIED = "Sat, 01 Jan 2022 00:00:00 GMT"
Answer = Callable[["Handler"], None]


@dataclass
class Site:
    """Files by path; ``answers`` are by path, too, and folders' end in a slash. ``log`` has paths and ranges."""

    files: dict[str, bytes]
    answers: dict[str, Answer] = field(default_factory=dict)
    log: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""
    sent: int = 0

    def index(self, folder: str) -> list[dict]:
        found: dict[str, dict] = {}
        for path, data in self.files.items():
            if path.startswith(folder):
                name, below, _ = path[len(folder) :].partition("/")
                size = {} if below else {"size": len(data)}
                found[name] = {"name": name, "type": "directory" if below else "file", "mtime": MODIFIED, **size}
        return list(found.values())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    site: Site

    def do_GET(self) -> None:
        path = unquote(self.path.lstrip("/"))
        self.site.log.append((path, self.headers.get("Range")))
        with suppress(ConnectionError):
            answer = self.site.answers.get(path)
            if answer:
                answer(self)
            elif path == "" or path.endswith("/"):
                self.whole(json.dumps(self.site.index(path)).encode(), "application/json")
            elif path in self.site.files:
                self.file(path)
            else:
                self.status(404)

    def file(self, path: str) -> None:
        """Answer as a good server does."""
        data, asked = self.site.files[path], self.headers.get("Range")
        if not asked:
            self.whole(data)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        self.head(206, len(data) - start, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
        self.body(data[start:])

    def whole(self, data: bytes, kind: str = "application/octet-stream") -> None:
        self.head(200, len(data), {"Content-Type": kind})
        self.body(data)

    def head(self, status: int, length: int | None, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
        self.send_header("ETag", f'"{PurePosixPath(self.path).name}"')
        self.send_header("Last-Modified", MODIFIED)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def body(self, data: bytes) -> None:
        self.wfile.write(data)
        self.site.sent += len(data)

    def status(self, number: int, headers: dict[str, str] | None = None) -> None:
        self.head(number, 0, headers)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def site(files: dict[str, bytes]) -> Iterator[Site]:
    """Serve files while the context lasts."""
    found = Site(files)
    handler = type("SiteHandler", (Handler,), {"site": found})
    server = _Server(("127.0.0.1", 0), handler)
    found.address = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
