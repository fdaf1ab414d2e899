"""Kills and failing disks: what is visible is complete, and repeating the call succeeds."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from little_zoo import grow, make_config, make_tensors, make_zoo

from vitzoo.errors import VitzooError
from vitzoo.zoo import Zoo, verify

CALLS = ("fsync", "rename", "mkdir", "open")
WRITER = """
import sys
from little_zoo import make_config, make_tensors
from vitzoo.zoo import Zoo
zoo = Zoo.open(sys.argv[1])
print("ready", flush=True)
for number in range(1000):
    member = zoo.add_member(make_config(f"m{number:03d}", epochs=8, every=2))
    done = member.epochs()
    for epoch in range(done[-1] + 1 if done else 0, 9):
        metrics = {"train_loss": 1 / (epoch + 1)}
        if epoch % 2:
            member.record_epochs([{"epoch": epoch, **metrics}])
        else:
            member.commit(epoch, make_tensors(epoch), metrics, None)
"""


def test_sigkill_at_random_instants(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path / "zoo")
    clock = random.Random(7)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    for _ in range(15):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(zoo.path)], stdout=subprocess.PIPE, env=environment
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(clock.uniform(0.01, 0.12))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        problems = [f for f in verify(zoo, deep=True).findings if ".staging-" not in f.path]
        # A member that was just added has no checkpoint yet; that is all that may be found.
        assert [f for f in problems if f.problem != "has no checkpoints"] == []
        assert len(problems) <= 1
        for member in zoo.members():
            assert [line["epoch"] for line in member.curve()] == list(range(len(member.curve())))
    zoo.sweep()
    assert list(zoo.leftovers()) == []
    assert sum(len(member.epochs()) for member in zoo.members()) > 5, "the writer got somewhere between the kills"


class Disk:
    """Make the k-th call that changes the disk fail, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, code: int) -> None:
        self.left, self.code, self.failed = at, code, ""
        for name in CALLS:
            monkeypatch.setattr(os, name, self._failing(name, getattr(os, name)))
        import io

        original = io.open
        monkeypatch.setattr(io, "open", self._failing_open(original))

    def _count(self, name: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.failed = name
            raise OSError(self.code, os.strerror(self.code))

    def _failing(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            reads = name == "open" and not (arguments[1] & (os.O_DIRECTORY | os.O_CREAT))
            if not reads:
                self._count(name)
            return original(*arguments, **options)

        return call

    def _failing_open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if "x" not in mode:
                return original(file, mode, *arguments, **options)
            self._count("create")
            opened = original(file, mode, *arguments, **options)
            return Writer(opened, self)

        return call


class Writer:
    """A file whose writes and flushes count as calls; a failing write leaves half of the data behind."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self.file, self.disk = file, disk

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, data: Any) -> int:
        try:
            self.disk._count("write")
        except OSError:
            self.file.write(bytes(data)[: len(data) // 2])
            raise
        return self.file.write(data)

    def flush(self) -> None:
        self.disk._count("flush")
        self.file.flush()

    def fileno(self) -> int:
        return self.file.fileno()


def new_member(zoo: Zoo) -> object:
    return zoo.add_member(make_config("new"))


def first_commit(zoo: Zoo) -> object:
    return zoo.member("m").commit(2, make_tensors(2), {"x": 1.0}, None)


def divergence(zoo: Zoo) -> object:
    return zoo.member("m").record_divergence(2, {"x": 1.0})


@pytest.mark.parametrize("action", [new_member, first_commit, divergence])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_every_failing_call(
    empty: Zoo, monkeypatch: pytest.MonkeyPatch, action: Callable[[Zoo], object], code: int
) -> None:
    grow(empty.add_member(make_config("m")), 1)
    allowed = {"has no checkpoints"}
    failures, at = [], 0
    while True:
        at += 1
        before = snapshot(empty)
        with monkeypatch.context() as patch:
            disk = Disk(patch, at, code)
            try:
                action(empty)
            except VitzooError as error:
                assert os.strerror(code) in str(error), str(error)
                assert str(empty.path) in str(error)
                failures.append(disk.failed)
        if not disk.failed:
            break
        after = snapshot(empty)
        # Old or new, nothing between: any file that was there is the same, unless it was replaced as a whole.
        assert all(after[p] == data for p, data in before.items() if p.name != "result.json")
        assert [f for f in verify(empty, deep=True).findings if f.problem not in allowed] == []
        reset(empty, before)
    assert set(failures) >= ({"fsync", "rename", "create", "write", "open"})
    assert [f for f in verify(empty, deep=True).findings if f.problem not in allowed] == []


def snapshot(zoo: Zoo) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in zoo.path.rglob("*") if path.is_file()}


def reset(zoo: Zoo, before: dict[Path, bytes]) -> None:
    """Repeat succeeds on what the failure left; here the next failure starts from the same state instead."""
    import shutil

    for path in sorted(zoo.path.rglob("*"), reverse=True):
        if path.is_file() and path not in before:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()) and path.parent != zoo.path:
            shutil.rmtree(path)
    for path, data in before.items():
        path.write_bytes(data)


def test_retry_after_each_failure_succeeds(empty: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    member = empty.add_member(make_config("m", epochs=40))
    for at in range(1, 31):
        epoch = (member.epochs() or [-1])[-1] + 1
        with monkeypatch.context() as patch:
            Disk(patch, at, errno.ENOSPC)
            with contextlib.suppress(VitzooError):
                member.commit(epoch, make_tensors(epoch), {"x": 1.0}, None)
        sha256 = member.commit(epoch, make_tensors(epoch), {"x": 1.0}, None)
        assert member.checkpoint().sha256 == sha256
        assert member.checkpoint().epoch == epoch
        assert list(empty.leftovers()) == []
    assert verify(empty, deep=True).ok


def test_two_writers_of_one_checkpoint(empty: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who comes second between the check and the rename finds the same bytes and is content."""
    from vitzoo.zoo import commit

    member = empty.add_member(make_config("m"))
    publish = commit._publish

    def late(staged: Path, target: Path) -> None:
        monkeypatch.setattr(commit, "_publish", publish)
        member.commit(0, make_tensors(0), {"x": 1.0}, None)
        publish(staged, target)

    monkeypatch.setattr(commit, "_publish", late)
    sha256 = member.commit(0, make_tensors(0), {"x": 1.0}, None)
    assert member.checkpoint().sha256 == sha256
    assert verify(empty, deep=True).ok
