"""Several converting processes, each driven by a thread: files in, safetensors files of a zoo's form out."""

import itertools
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from vitzoo.errors import InputError, VitzooError

START = 120.0  # seconds a process may take to start, on a busy machine
PATIENCE = 60.0  # seconds for a file, and
SLOWEST = 5e6  # bytes a second on top
Result = TypeVar("Result")
CHILD = "vitzoo.sharing.importing.quarantine.child"
READY = "ready"  # what it says when it is


@dataclass(frozen=True)
class Converted:
    """Weights in a zoo's form: where they are, their digest and size, and the file they came from."""

    path: Path
    sha256: str
    size: int
    source: Mapping[str, Any]
    finite: bool


class Pool:
    """Converts files in ``workers`` processes that write below ``outbox``; a context manager that ends them."""

    def __init__(self, outbox: Path, workers: int | None = None) -> None:
        self.outbox = outbox.resolve()
        self.workers = workers or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self.workers)
        self._local = threading.local()
        self._children: list[_Child] = []
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True, wait=False)
        for child in self._children:
            child.end()
        self._threads.shutdown()

    def submit(self, task: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Do something in one of the threads, each of which has a process to convert with."""
        return self._threads.submit(task, *arguments)

    def convert(self, source: Path, known: Mapping[str, Any], called: str | None = None) -> Converted:
        """Convert a file, from one of the threads. InputError, with what it is ``called``, if no ViT is in it."""
        called = called or str(source)
        target = self.outbox / f"{next(self._numbers)}.safetensors"
        job = {"source": str(source.absolute()), "target": target.name, "known": dict(known)}
        try:
            answer = self._child().ask(job, PATIENCE + source.stat().st_size / SLOWEST)
        except OSError as error:
            raise InputError(f"{called} cannot be read: {error.strerror}.") from error
        if "error" in answer:
            target.unlink(missing_ok=True)
            raise InputError(f"{called}: {answer['error'].rstrip('.')}.")
        return Converted(target, answer["sha256"], answer["size"], answer["source"], answer["finite"])

    def _child(self) -> "_Child":
        child = getattr(self._local, "child", None)
        if child is None or not child.alive:
            child = self._local.child = _Child(self.outbox)
            self._children.append(child)
        return child


class _Child:
    """One process, asked one thing at a time; it is ended when it does not answer."""

    def __init__(self, outbox: Path) -> None:
        environment = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, str(outbox)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | {"OMP_NUM_THREADS": "1"},
            cwd=outbox,
        )
        if self._line(START) != READY:
            self._process.kill()
            _, told = self._process.communicate()
            last = told.decode(errors="replace").strip().splitlines()[-1:] or ["it was not ready in time"]
            raise VitzooError(f"The process that reads foreign files could not start: {last[0][:200]}.")
        stderr = self._process.stderr
        assert stderr is not None
        threading.Thread(
            target=stderr.read, daemon=True
        ).start()  # what it still says is not kept, and must not block it

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, job: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(job).encode() + b"\n")
            stdin.flush()
            line = self._line(seconds)
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        self.end()
        if line is None:
            return {"error": f"reading it took more than {seconds:.0f} s and was stopped"}
        return {"error": f"the process that read it died (exit status {self._process.returncode})"}

    def _line(self, seconds: float) -> str | None:
        """Return the next line, an empty one if the process has died, ``None`` if there is none in time."""
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], seconds)
        return stdout.readline().decode().strip() if ready else None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
