"""``result.json``: one JSON line per epoch of a member, replaced as a whole."""

from pathlib import Path
from typing import Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo import atomic
from vitzoo.zoo.checkpoint import are_metrics
from vitzoo.zoo.strict_json import REMEDY, encode, parse, read_bytes

MAX_FILE = 64_000_000
MAX_LINES = 100_001  # as many epochs as a blueprint can ask for, and the state before them
MAX_LINE = 64_000  # bytes; the most metrics there can be need less than half
Lines = dict[int, dict[str, Any]]


def read(path: Path) -> Lines:
    """Read the lines by epoch; a file that is not there has none. IntegrityError if it is not as specified."""
    return check(_read_if_there(path), path)


def check(data: bytes, where: object) -> Lines:
    """Return the lines that a file's bytes hold, by epoch; IntegrityError if they are not as specified."""
    lines: Lines = {}
    last = -1
    if data.count(b"\n") > MAX_LINES:
        raise IntegrityError(f"{where} has more than {MAX_LINES:,} lines, which no zoo writes. {REMEDY}.")
    for count, text in enumerate(data.removesuffix(b"\n").split(b"\n") if data else (), 1):
        if len(text) > MAX_LINE:
            raise IntegrityError(f"{where}, line {count}: more than {MAX_LINE:,} bytes. {REMEDY}.")
        line = parse(text, f"{where}, line {count}")
        epoch = line.get("epoch") if isinstance(line, dict) else None
        if type(epoch) is not int or epoch <= last or not _is_line(line) or (last in lines and _stops(lines[last])):
            raise IntegrityError(f"{where}, line {count}: not the metrics of an epoch after {last}. {REMEDY}.")
        lines[epoch] = line
        last = epoch
    return lines


def write(path: Path, lines: Lines) -> None:
    """Replace the file in one step, unless it holds these lines already; sync the member's directory either way."""
    data = b"".join(encode(lines[epoch], indent=None) for epoch in sorted(lines))
    if data and data != _read_if_there(path):
        atomic.replace_file(path, data)
    else:
        with atomic.storing(path):
            atomic.sync_directory(path.parent)


def diverged(lines: Lines) -> int | None:
    """Epoch in which training stopped for good, ``None`` if it did not."""
    last = max(lines, default=None)
    return last if last is not None and _stops(lines[last]) else None


def _read_if_there(path: Path) -> bytes:
    return read_bytes(path, MAX_FILE) if path.is_symlink() or path.exists() else b""


def _stops(line: dict[str, Any]) -> bool:
    return line.get("diverged", False)


def _is_line(line: dict[str, Any]) -> bool:
    flag = line.get("diverged", False)
    return type(flag) is bool and are_metrics({name: value for name, value in line.items() if name != "diverged"})
