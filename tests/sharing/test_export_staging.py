"""An export is there as a whole or not at all, and overwrites nothing."""

import ctypes
import errno
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from exportable import populate

from vitzoo.errors import InputError, VitzooError
from vitzoo.sharing.exporting import files
from vitzoo.sharing.exporting.run import export
from vitzoo.zoo import Zoo, verify

TARGETS = ("timm", "huggingface", "npz")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return populate(tmp_path_factory.mktemp("grown") / "zoo")


def times(zoo: Zoo) -> dict[Path, tuple[int, int]]:
    """When everything in a zoo changed, and its size; but for the root, where a catalogue may be made."""
    paths = [path for path in zoo.path.rglob("*") if path.name != "catalogue.parquet"]
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def part(to: str) -> dict[str, str]:
    return {"part": "backbone"} if to == "npz" else {}


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize(
    ("why", "said"),
    [
        (lambda: KeyboardInterrupt("stop"), "stop"),
        (lambda: OSError(errno.ENOSPC, "No space left on device"), "out could not be written: No space left on device"),
    ],
)
def test_an_interrupted_export_leaves_nothing(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, why: Any, said: str
) -> None:
    checked, calls = files.checked, []

    def fails_the_second_time(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            raise why()
        return checked(*arguments)

    monkeypatch.setattr(files, "checked", fails_the_second_time)
    with pytest.raises((KeyboardInterrupt, VitzooError), match=said):
        export(zoo, to, tmp_path / "out", **part(to))
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert export(zoo, to, tmp_path / "out", **part(to)).checkpoints == 6


KILLED = """
    import os, sys, time
    from pathlib import Path
    import vitzoo
    from vitzoo.sharing.exporting import files
    from vitzoo.sharing.exporting.run import export

    def wait(*_):
        print("filling", flush=True)
        time.sleep(60)

    files.checked = wait
    export(vitzoo.open(sys.argv[1]), "huggingface", Path(sys.argv[2]))
"""


def test_what_a_killed_export_left_is_removed_by_the_next_one_and_what_is_being_filled_is_not(
    zoo: Zoo, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(zoo.path), str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        (under_way,) = tmp_path.iterdir()
        assert under_way.name.startswith(f".staging-out-{process.pid}-")
        export(zoo, "npz", tmp_path / "out", part="backbone")  # beside one that is being filled
        assert under_way.is_dir()
        process.send_signal(signal.SIGKILL)
    bystander = tmp_path / ".staging-out-notes"
    bystander.mkdir()
    (tmp_path / "out").rename(tmp_path / "before")
    export(zoo, "npz", tmp_path / "out", part="backbone")
    assert sorted(path.name for path in tmp_path.iterdir()) == [bystander.name, "before", "out"]


def test_on_a_disk_without_locks_exports_work_and_nothing_is_swept(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_lock(*_: Any) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", no_lock)
    left = tmp_path / ".staging-out-1-0123abcd"
    left.mkdir()
    export(zoo, "timm", tmp_path / "out")
    assert left.is_dir()


def test_a_disk_that_fails_to_sync_leaves_nothing(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        @staticmethod
        def syncfs(_: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)
    with pytest.raises(VitzooError, match="out could not be written: Input/output error"):
        export(zoo, "timm", tmp_path / "out")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())  # a system without the call
    assert export(zoo, "timm", tmp_path / "out").written


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda out: out.mkdir() or (out / "mine").touch(),
            "is not empty .'mine' is there., and nothing is overwritten",
        ),
        (lambda out: out.touch(), "is there and is no folder"),
        (lambda out: out.symlink_to(out.parent), "is there and is no folder"),
        (lambda out: out.symlink_to(out.parent / "nowhere"), "is there and is no folder"),
    ],
)
def test_a_place_that_is_taken_is_refused(zoo: Zoo, tmp_path: Path, made: Any, said: str) -> None:
    made(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    for dry_run in (True, False):
        with pytest.raises(InputError, match=said):
            export(zoo, "timm", tmp_path / "out", dry_run=dry_run)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled_and_parents_are_made(zoo: Zoo, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert export(zoo, "timm", tmp_path / "empty").files == len(
        [path for path in (tmp_path / "empty").rglob("*") if path.is_file()]
    )
    assert export(zoo, "timm", tmp_path / "a" / "b").out.is_dir()


def test_the_working_directory_is_not_replaced(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is the working directory"):
        export(zoo, "timm", Path())
    export(zoo, "timm", Path("out"))
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize("inside", ["", "exported", "pretraining/exported"])
def test_nothing_is_put_into_the_zoo(tmp_path: Path, inside: str) -> None:
    zoo = populate(tmp_path / "zoo")
    for path in (zoo.path / inside, tmp_path / "elsewhere" / ".." / "zoo" / inside):
        with pytest.raises(InputError, match=r"is not empty|is within the zoo"):
            export(zoo, "timm", path)
    assert verify(zoo, deep=True).ok


@pytest.mark.parametrize("to", TARGETS)
def test_the_zoo_is_untouched_and_a_dry_run_writes_nothing(tmp_path: Path, to: str) -> None:
    zoo = populate(tmp_path / "zoo")
    zoo.catalogue()
    before = times(zoo)
    planned = export(zoo, to, tmp_path / "out", dry_run=True, **part(to))
    assert not planned.written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zoo"]
    done = export(zoo, to, tmp_path / "out", **part(to))
    assert (planned.files, planned.checkpoints) == (done.files, done.checkpoints)
    assert times(zoo) == before
    assert verify(zoo, deep=True).ok


@pytest.mark.parametrize("to", TARGETS)
def test_licence_and_provenance_travel(tmp_path: Path, to: str) -> None:
    zoo = populate(tmp_path / "zoo")
    (zoo.path / "LICENSE").write_text("as you like")
    (zoo.path / "CITATION.cff").write_text("cff-version: 1.2.0\n")
    out = export(zoo, to, tmp_path / "out", **part(to)).out
    assert (out / "LICENSE").read_text() == "as you like"
    assert (out / "CITATION.cff").is_file()
    found = json.loads((out / "provenance.json").read_text())
    assert found["zoo"] == {"name": "little", "licence": "CC-BY-4.0", "execution": {"device": "cpu"}}
    assert [one["vitzoo"]["sha256"] for one in found["checkpoints"]] == [row["sha256"] for row in zoo.rows("is_last")]
    for one in found["checkpoints"]:
        place = one.get("path")
        assert (place is None) == (to == "npz")
        assert place is None or (out / place / "config.json").is_file()
    readme = (out / "README.md").read_text()
    assert "Licence: CC-BY-4.0, see LICENSE." in readme
    assert str(tmp_path) not in readme + json.dumps(found)  # no path of this machine


def test_no_file_of_an_export_is_a_pickle(zoo: Zoo, tmp_path: Path) -> None:
    for to in TARGETS:
        export(zoo, to, tmp_path / to, **part(to))
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds == {".safetensors", ".json", ".md", ".npy", ".csv"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
