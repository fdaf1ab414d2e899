"""DuckDB, Arrow and NumPy are native code, which Python's audit hook does not see: what they ask the system for."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STRACE = shutil.which("strace")
READ = """
import sys, pathlib, vitzoo
from vitzoo.zoo import verify
root = sys.argv[1]
zoo = vitzoo.open(root)
assert len(zoo.table("epoch > 0")) == 2 and len(zoo.rows("is_last")) == 2
zoo.rebuild_catalogue()
assert vitzoo.open(root).count() == 4
assert zoo.checkpoint("ft").tensors()
assert verify(zoo, deep=True).ok
"""
UNKNOWN = """
import sys, vitzoo
from vitzoo.errors import VitzooError
try:
    vitzoo.open(sys.argv[1]).rows("st_area(member) > 0 OR (SELECT count(*) FROM 'https://example.com/x.parquet') > 0")
except VitzooError:
    print("refused")
"""
VIOLATE = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
_LOCAL = re.compile(r"socket\((AF_UNIX|AF_LOCAL)|sa_family=(AF_UNIX|AF_LOCAL)")


def traced(code: str, root: Path, log: Path) -> list[str]:
    """Run a program and return its calls that concern the network or start another program, in all its threads."""
    if STRACE is None:
        pytest.skip("strace is not installed")
    calls = "trace=socket,connect,bind,sendto,sendmsg,execve,execveat"
    words = [
        STRACE,
        "-f",
        "-qq",
        "-e",
        calls,
        "-e",
        "signal=none",
        "-o",
        str(log),
        sys.executable,
        "-c",
        code,
        str(root),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=log.parent, check=False)
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip(f"strace may not look at processes here: {done.stderr[:200]}")
    assert done.returncode == 0, done.stderr
    return [line.partition(" ")[2].strip() for line in log.read_text().splitlines()]


@pytest.mark.parametrize("code", [READ, UNKNOWN], ids=["reading", "a condition that reaches out"])
def test_no_socket_and_no_program(code: str, root: Path, tmp_path: Path) -> None:
    calls = traced(code, root, tmp_path / "log")
    assert calls[0].startswith("execve(")  # the interpreter itself
    assert [call for call in calls[1:] if not _LOCAL.search(call)] == []


def test_a_socket_would_be_noticed(root: Path, tmp_path: Path) -> None:
    calls = traced(VIOLATE, root, tmp_path / "log")
    assert [call for call in calls if "AF_INET" in call and not _LOCAL.search(call)]
