"""What a process that reads foreign files gives up: the network, other programs, new code, and most of the memory.

Audit hooks (PEP 578) cannot be removed. They do not hold native code back; that is why the reader is a process of its
own and gets its weights through torch's restricted unpickler, which calls nothing that a file names.
"""

import os
import resource
import sys
from pathlib import Path
from typing import Any

#: Events that end in an error, by their beginnings (the interpreter's table of audit events). NumPy compiles the header
#: of an array to parse it, which is no harm as long as nothing compiled is executed.
FORBIDDEN = (
    *("socket.", "subprocess.", "pty.", "ctypes.", "marshal.", "pickle.", "urllib.", "http.", "ftplib.", "smtplib."),
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill", "os.putenv", "os.unsetenv"),
    *("os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate", "os.mkdir"),
    *("shutil.", "import", "exec", "code.__new__", "function.__new__", "cpython.run_", "sys.setprofile"),
    *("sys.settrace", "webbrowser.", "mmap.__new__.write", "gc.", "signal.", "tempfile."),
)
SPARE = 1 << 30  # bytes of memory beyond a few copies of the file
COPIES = 4


class Forbidden(Exception):
    """A file made its reader do what no reader of weights does."""


def no_effects(outbox: Path) -> None:
    """Refuse from now on whatever is forbidden, and writing anywhere but directly below ``outbox``; for good."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise Forbidden(f"it led to {event}")
        if event == "open" and _writes(arguments) and not _is_below(Path(os.fsdecode(arguments[0])), outbox):
            raise Forbidden("it led to a file being written")

    sys.addaudithook(hook)


def memory(size: int) -> None:
    """Allow memory for a few copies of a file of ``size`` bytes beyond what is in use now; for the next file only."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_in_use() + COPIES * size + SPARE, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (COPIES * size + (1 << 20), hard))


def _is_below(path: Path, outbox: Path) -> bool:
    return path.parent == outbox and path.name not in ("", "..")  # no links: none can be made there


def _writes(arguments: tuple[Any, ...]) -> bool:
    path, mode, flags = arguments
    if isinstance(path, int):  # a descriptor that is open already
        return False
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) if isinstance(flags, int) else "w" in str(mode)


def _in_use() -> int:
    """Bytes that count against RLIMIT_DATA now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
