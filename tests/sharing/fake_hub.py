"""A Hugging Face hub on this machine: repositories in memory, behind the requests that the hub's client makes.

It stores Git files and LFS objects, validates cards by the hub's published rules, and can be told to fail. Large files
go by LFS, which is what the client does where Xet is not available.
"""

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_SecretOfTheTests0123456789"
LFS = (".safetensors", ".parquet", ".png")
LICENCES = {"cc-by-4.0", "cc0-1.0", "cc-by-sa-4.0", "apache-2.0", "mit", "other"}
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M"}
RELATIONS = {"finetune", "adapter", "merge", "quantized"}
PIPELINES = {"image-classification", "image-feature-extraction"}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass
class Repo:
    """A repository: its files by path, and the messages of its commits."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": b"*.bin filter=lfs\n"})
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(f"{len(self.commits)}".encode()).hexdigest()


class Hub(ThreadingHTTPServer):
    """The server and all it holds.

    ``fail_puts`` is the number of LFS objects after which each further one is refused; ``puts`` counts how often each
    object was sent; ``authorised`` are the paths that came with the token, ``anonymous`` those without.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.puts: Counter[str] = Counter()
        self.fail_puts: int | None = None
        self.forbidden = False
        self.requests: list[str] = []
        self.anonymous: list[str] = []
        self.validated: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def dataset(self, name: str) -> Repo:
        return self.repos[("dataset", name)]

    def model(self, name: str) -> Repo:
        return self.repos[("model", name)]


@contextmanager
def running() -> Iterator[Hub]:
    """Run a hub until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


def card_errors(content: str, kind: str) -> list[str]:
    """Return what the hub's specification of cards would have against one."""
    match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
    if not match:
        return ["the card has no metadata"]
    data = yaml.safe_load(match[1])
    found = [f"{key} is no text" for key in ("license", "pretty_name", "pipeline_tag") if not _is_text(data.get(key))]
    found += [] if data.get("license") in LICENCES else ["license is not known"]
    found += [] if data["license"] != "other" or data.get("license_name") else ["license_name is missing"]
    found += [] if all(isinstance(tag, str) for tag in data.get("tags", [])) else ["tags are no texts"]
    return found + (_dataset_errors(data) if kind == "dataset" else _model_errors(data))


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _dataset_errors(data: dict[str, Any]) -> list[str]:
    found = [f"size_categories has {size!r}" for size in data.get("size_categories", []) if size not in SIZES]
    for config in data.get("configs", []):
        if not isinstance(config.get("config_name"), str):
            found.append("a config has no name")
        for files in config.get("data_files", []):
            if not re.fullmatch(r"\w+", files.get("split", "")) or not isinstance(files.get("path"), str):
                found.append("data_files needs split and path")
    return found


def _model_errors(data: dict[str, Any]) -> list[str]:
    bases = data.get("base_model", [])
    found = [
        f"base_model {base!r}" for base in ([bases] if isinstance(bases, str) else bases) if not ID.fullmatch(base)
    ]
    if bases and data.get("base_model_relation") not in RELATIONS:
        found.append("base_model_relation is not known")
    if data.get("pipeline_tag") not in PIPELINES:
        found.append("pipeline_tag is not known")
    for index in data.get("model-index", []):
        for result in index["results"]:
            dataset, metrics = result.get("dataset", {}), result.get("metrics", [])
            whole = result.get("task", {}).get("type") and dataset.get("type") and dataset.get("name")
            if not (index.get("name") and whole and metrics and all("type" in m and "value" in m for m in metrics)):
                found.append("model-index is not whole")
    return found


class Handler(BaseHTTPRequestHandler):
    """The requests."""

    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def _route(self, method: str) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self._body()
        with self.server.lock:
            self.server.requests.append(f"{method} {path}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}" and not path.startswith("/lfs/"):
                self.server.anonymous.append(path)
                if method == "POST" and path != "/api/validate-yaml":
                    return self._answer({"error": "Unauthorized"}, 401)
            for verb, pattern, name in ROUTES:
                if verb == method.replace("HEAD", "GET") and (match := re.fullmatch(pattern, path)):
                    return getattr(self, name)(body, **match.groupdict())
        self._answer({"error": f"no such place: {method} {path}"}, 404)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(data).encode(), status, {"Content-Type": "application/json"} | (headers or {}))

    def _send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _repo(self, kind: str, name: str) -> Repo | None:
        return self.server.repos.get((kind.removesuffix("s"), name))

    def _missing(self) -> None:
        self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    # What is asked for, in the order in which the client asks.

    def validate(self, body: bytes) -> None:
        asked = json.loads(body)
        self.server.validated.append(asked["repoType"])
        errors = card_errors(asked["content"], asked["repoType"])
        self._answer({"errors": [{"message": e} for e in errors], "warnings": []}, 400 if errors else 200)

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        if self.server.forbidden:
            return self._answer({"error": "You may not write here"}, 403)
        key = (asked.get("type", "model"), f"{asked['organization']}/{asked['name']}")
        prefix = "datasets/" if key[0] == "dataset" else ""
        url = f"{self.server.url}/{prefix}{key[1]}"
        if key in self.server.repos:
            return self._answer({"error": "You already created this repo", "url": url}, 409)
        private = asked.get("private") or asked.get("visibility") == "private"
        self.server.repos[key] = Repo(bool(private))
        return self._answer({"url": url, "name": key[1], "id": key[1]})

    def info(self, _: bytes, kind: str, name: str, revision: str = "main") -> None:
        if (repo := self._repo(kind, name)) is None:
            return self._missing()
        siblings = [{"rfilename": path} for path in sorted(repo.files)]
        return self._answer(
            {"_id": "0", "id": name, "author": name.split("/")[0], "sha": repo.sha, "private": repo.private}
            | {"siblings": siblings, "tags": [], "downloads": 0, "likes": 0, "disabled": False, "gated": False}
        )

    def tree(self, _: bytes, kind: str, name: str, revision: str) -> None:
        if (repo := self._repo(kind, name)) is None:
            return self._missing()
        entries = []
        for path, data in sorted(repo.files.items()):
            entry = {"type": "file", "path": path, "size": len(data), "oid": _git_oid(data)}
            if path.endswith(LFS):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return self._answer(entries)

    def preupload(self, body: bytes, kind: str, name: str, revision: str) -> None:
        if (repo := self._repo(kind, name)) is None:
            return self._missing()
        files = [
            {
                "path": asked["path"],
                "uploadMode": "lfs" if asked["path"].endswith(LFS) else "regular",
                "shouldIgnore": False,
                "oid": _oid(asked["path"], repo.files[asked["path"]]) if asked["path"] in repo.files else None,
            }
            for asked in json.loads(body)["files"]
        ]
        return self._answer({"files": files})

    def batch(self, body: bytes, **_: str) -> None:
        objects = []
        for asked in json.loads(body)["objects"]:
            there = asked["oid"] in self.server.objects
            upload = {"upload": {"href": f"{self.server.url}/lfs/{asked['oid']}", "header": {}}}
            objects.append({"oid": asked["oid"], "size": asked["size"]} | ({} if there else {"actions": upload}))
        self._answer({"transfer": "basic", "objects": objects})

    def put(self, body: bytes, oid: str) -> None:
        if self.server.fail_puts is not None and sum(self.server.puts.values()) >= self.server.fail_puts:
            return self._answer({"error": "the storage is full"}, 507)
        if hashlib.sha256(body).hexdigest() != oid:
            return self._answer({"error": "not what was announced"}, 400)
        self.server.puts[oid] += 1
        self.server.objects[oid] = body
        return self._send(b"", 200, {})

    def commit(self, body: bytes, kind: str, name: str, revision: str) -> None:
        if (repo := self._repo(kind, name)) is None:
            return self._missing()
        header, *operations = [json.loads(line) for line in body.splitlines()]
        added: dict[str, bytes] = {}
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                added[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile" and value["oid"] in self.server.objects:
                added[value["path"]] = self.server.objects[value["oid"]]
            else:
                return self._answer({"error": f"cannot do {operation['key']}"}, 400)
        repo.files |= added
        repo.commits.append(header["value"]["summary"])
        return self._answer({"commitUrl": f"{self.server.url}/{name}/commit/{repo.sha}", "commitOid": repo.sha})

    def resolve(self, _: bytes, name: str, revision: str, path: str, kind: str | None = None) -> None:
        repo = self._repo(kind or "models", name)
        if repo is None:
            return self._missing()
        if path not in repo.files:
            return self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        data = repo.files[path]
        headers = {"ETag": f'"{_oid(path, data)}"', "X-Repo-Commit": repo.sha, "Accept-Ranges": "bytes"}
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(match[1]), min(int(match[2] or len(data) - 1), len(data) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            return self._send(data[first : last + 1], 206, headers)
        return self._send(data, 200, headers)


def _oid(path: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if path.endswith(LFS) else _git_oid(data)


def _git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


_API = r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)"
ROUTES = (
    ("POST", "/api/validate-yaml", "validate"),
    ("POST", "/api/repos/create", "create"),
    ("GET", _API, "info"),
    ("GET", rf"{_API}/revision/(?P<revision>[^/]+)", "info"),
    ("GET", rf"{_API}/tree/(?P<revision>[^/]+)/?", "tree"),
    ("POST", rf"{_API}/preupload/(?P<revision>[^/]+)", "preupload"),
    ("POST", r"/(?:datasets/)?[^/]+/[^/]+\.git/info/lfs/objects/batch", "batch"),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "put"),
    ("POST", rf"{_API}/commit/(?P<revision>[^/]+)", "commit"),
    ("GET", r"/(?:(?P<kind>datasets)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
)
