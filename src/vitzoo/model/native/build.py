"""Compile the kernels for this machine, once: a shared library in the cache, named by all that shapes it."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from vitzoo.errors import InputError

COMPILERS = ("cc", "gcc", "clang")
#: Infinities mark what is left out of a softmax, so they must stay; otherwise sums may be reordered.
FLAGS = ("-O3", "-ffast-math", "-fno-finite-math-only", "-shared", "-fPIC", "-w")
#: Best first: for this processor with approximate reciprocals, for this processor, for any.
TARGETS = (("-march=native", "-mrecip"), ("-march=native",), ("-mcpu=native",), ())
SECONDS = 120


def why_not() -> str | None:
    """Return why the kernels cannot be used on this machine, as a sentence, or None where they can."""
    try:
        library()
    except InputError as error:
        return str(error)
    return None


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Load the kernels, compiling them if this machine has not yet (about a second).

    Raises:
        InputError: there is no C compiler, or it cannot compile them.
    """
    compiler = next((path for name in _compilers() if (path := shutil.which(name))), None)
    if compiler is None:
        raise InputError("No C compiler was found (cc, gcc or clang, or the one that $CC names).")
    path = _folder() / f"{_digest(compiler)}.so"
    if not path.exists():
        _compile(compiler, path)
    return ctypes.CDLL(str(path))


def _compilers() -> list[str]:
    return [os.environ["CC"]] if os.environ.get("CC") else list(COMPILERS)


def _folder() -> Path:
    return Path(os.environ.get("VITZOO_CACHE", Path.home() / ".cache" / "vitzoo")) / "native"


def _sources() -> list[Path]:
    return sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".c", ".h"))


def _digest(compiler: str) -> str:
    """Digest of the sources, the flags, the compiler's version and the processor's abilities."""
    parts = [path.read_bytes() for path in _sources()]
    version = subprocess.run([compiler, "--version"], capture_output=True, timeout=SECONDS).stdout
    parts += [repr((FLAGS, TARGETS)).encode(), version, _processor().encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]


def _processor() -> str:
    """Name what the processor can do, so that a cache on a shared disk serves different machines."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return f"{platform.machine()} {platform.processor()} {flags}"


def _compile(compiler: str, path: Path) -> None:
    """Compile to a temporary file and rename it, so that no process ever loads half a library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = next(each for each in _sources() if each.name == "kernels.c")
    errors = ""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        out = Path(folder) / path.name
        for target in TARGETS:
            command = [compiler, *FLAGS, *target, str(source), "-o", str(out), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
            if done.returncode == 0:
                out.replace(path)
                return
            errors = errors or done.stderr.strip()
    raise InputError(f"{compiler} cannot compile the kernels: {errors[:500]}")
