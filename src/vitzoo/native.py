"""C compiled for the machine at hand, once: a shared library in the cache, named by all that shapes it."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vitzoo.errors import InputError

COMPILERS = ("cc", "gcc", "clang")
SECONDS = 120

Options = Sequence[str]


def load(source: Path, flags: Options, targets: Sequence[Options]) -> ctypes.CDLL:
    """Load a C file with the headers beside it, compiling it if this machine has not yet (about a second).

    ``targets`` are options for the processor, best first; those that the compiler refuses are passed over.

    Raises:
        InputError: there is no C compiler, it cannot compile the file, or the cache cannot hold the result.
    """
    compiler = next((path for name in _compilers() if (path := shutil.which(name))), None)
    if compiler is None:
        raise InputError("No C compiler was found (cc, gcc or clang, or the one that $CC names).")
    flags = (*flags, "-shared", "-fPIC", "-w")
    path = _folder() / f"{_digest(compiler, source, flags, targets)}.so"
    try:
        if not path.exists():
            _compile(compiler, source, flags, targets, path)
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise InputError(f"Compiled code cannot be kept in or loaded from {path.parent}: {error}.") from error


def _compilers() -> list[str]:
    return [os.environ["CC"]] if os.environ.get("CC") else list(COMPILERS)


def _folder() -> Path:
    return Path(os.environ.get("VITZOO_CACHE", Path.home() / ".cache" / "vitzoo")) / "native"


def _digest(compiler: str, source: Path, flags: Options, targets: Sequence[Options]) -> str:
    """Digest of the sources, the options, the compiler's version and the processor's abilities."""
    parts = [path.read_bytes() for path in (source, *sorted(source.parent.glob("*.h")))]
    version = subprocess.run([compiler, "--version"], capture_output=True, timeout=SECONDS).stdout
    parts += [repr((tuple(flags), tuple(map(tuple, targets)))).encode(), version, _abilities().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]


def processor() -> dict[str, str]:
    """Return what Linux says of the first processor: "model name", "flags" and so on; empty where it says nothing.

    >>> isinstance(processor().get("model name", "unknown"), str)
    True
    """
    info = Path("/proc/cpuinfo")
    first = info.read_text().split("\n\n")[0] if info.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _abilities() -> str:
    """Name what the processor can do, so that a cache on a shared disk serves different machines."""
    said = processor()
    return f"{platform.machine()} {platform.processor()} {said.get('flags', said.get('Features', ''))}"


def _compile(compiler: str, source: Path, flags: Options, targets: Sequence[Options], path: Path) -> None:
    """Compile to a temporary file and rename it, so that no process ever loads half a library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    errors = ""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out = Path(folder) / path.name
        for target in targets:
            command = [compiler, *flags, *target, str(source), "-o", str(out), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
            if done.returncode == 0:
                out.replace(path)
                return
            errors = errors or done.stderr.strip()
    raise InputError(f"{compiler} cannot compile {source.name}: {errors[:500]}")
