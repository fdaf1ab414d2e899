"""Jobs of tests in a process of their own, with limits of memory and time, so that a hang or a bomb is a result.

Run as a program this is the server: it imports once, then forks for every line of JSON on its standard input, which
names a job and lists the arguments it is to be done with. It answers with a line for each: the job's value or its
error, and what it took. A child that dies costs the job it was at, and the next one goes on.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY = {"read": 1 << 30}  # bytes of address space that a job may add; databases reserve more than they use
SECONDS = 30  # of the wall clock, after which a job is killed


@dataclass(frozen=True)
class Outcome:
    """What came of a job: its value, or the name, text and module of its error; CPU seconds, bytes of memory added."""

    value: Any = None
    error: str = ""
    text: str = ""
    module: str = ""
    seconds: float = 0.0
    added: int = 0


class Server:
    """The process that forks. It lies in a session's fixture, because to start it takes a second."""

    def __init__(self, cwd: Path) -> None:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        words = [sys.executable, __file__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(words, cwd=cwd, env=environment, **pipes)

    def run(self, job: str, *arguments: str | Path) -> Outcome:
        """Do one job."""
        return self.run_all(job, [arguments])[0]

    def run_all(self, job: str, each: Sequence[Sequence[str | Path]]) -> list[Outcome]:
        """Do a job with each of these arguments, in this order."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([job, [[*map(str, arguments)] for arguments in each]]) + "\n")
        self.process.stdin.flush()
        return [Outcome(**json.loads(self.process.stdout.readline())) for _ in each]

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def serve() -> None:
    """Answer until there are no more lines."""
    from hostile_jobs import JOBS

    os.fsync = lambda descriptor: None  # these zoos are thrown away, so nobody waits for the disk
    for line in sys.stdin:
        job, each = json.loads(line)
        while each:
            left = each
            for answer in _in_a_child(JOBS[job], MEMORY.get(job, 1 << 36), each):
                print(answer, flush=True)
                left = left[1:]
            each = left


def _in_a_child(function: Any, memory: int, each: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a line for each job that a child did, and one for the job that it died of."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        with os.fdopen(into, "w") as pipe:
            for arguments in each:
                print(json.dumps(_attempt(function, memory, arguments)), file=pipe, flush=True)
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as pipe:
        yield from (line.rstrip("\n") for line in pipe)
    _, status = os.waitpid(child, 0)
    if status:
        yield json.dumps({"error": "Killed", "text": f"exit code {os.waitstatus_to_exitcode(status)}"})


def _attempt(function: Any, memory: int, arguments: Sequence[str]) -> dict[str, Any]:
    before, begun = _limit(memory), time.process_time()
    try:
        found: dict[str, Any] = {"value": function(*arguments)}
    except BaseException as error:
        found = {"error": type(error).__name__, "module": type(error).__module__, "text": str(error)}
        if not found["module"].startswith("vitzoo"):
            found["text"] += "\n" + traceback.format_exc()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found | {"seconds": time.process_time() - begun, "added": peak - before}


def _limit(memory: int) -> int:
    """Set the limits of this process for the next job and return its bytes of memory."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    pages = Path("/proc/self/statm").read_text().split()
    size, resident = (int(number) * resource.getpagesize() for number in pages[:2])
    resource.setrlimit(resource.RLIMIT_AS, (size + memory, resource.RLIM_INFINITY))
    return resident


if __name__ == "__main__":
    serve()
