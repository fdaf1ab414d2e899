"""What a stranger can do to a zoo with the file system and with sheer size: found or refused, and never waited for."""

import contextlib
import json
import os
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus_weights import raw
from guarded import Outcome, Server
from hostile_zoo import AT, CHILD, MEMBER, PARENT, PLACES, plant, sign

from vitzoo.errors import IntegrityError, VitzooError
from vitzoo.zoo import Checkpoint, Zoo, safetensors_io
from vitzoo.zoo.layout import WEIGHTS

KINDS = ("weights", "config", "manifest", "result", "zoo", "blueprint", "catalogue")
MEMORY = 200 << 20
Fault = Callable[[Path], object]


def link(path: Path) -> None:
    shutil.move(path, path.parents[3] / "outside") if path.exists() else None
    path.symlink_to(path.parents[3] / "outside")


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def listening(path: Path) -> None:
    """A socket, under a name that is short enough for one."""
    path.unlink(missing_ok=True)
    here = Path.cwd()
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def device(path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # as /dev/zero, which never ends
    except OSError:
        pytest.skip("only root makes devices")


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


NO_FILES: dict[str, Fault] = {"link": link, "pipe": pipe, "socket": listening, "device": device, "folder": folder}


def look(guarded: Server, root: Path, deep: str = "") -> tuple[str, str, Outcome]:
    """Verify and list a zoo; return the findings and the notes as texts, or the error as both."""
    outcome = guarded.run("look", root, deep)
    assert outcome.module in ("", "vitzoo.errors"), outcome
    assert outcome.added < MEMORY
    assert outcome.seconds < 1
    found = outcome.value or {"findings": [outcome.text], "notes": [outcome.text]}
    return "\n".join(found["findings"]), "\n".join(found["notes"]), outcome


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", NO_FILES)
def test_what_is_no_file_is_found_and_never_read(what: str, kind: str, root: Path, guarded: Server) -> None:
    place = root / PLACES[kind]
    NO_FILES[what](place)
    found, noted, outcome = look(guarded, root)
    assert str(place) in found or "it has no zoo.json" in found
    assert outcome.error == ("" if kind != "zoo" else "IntegrityError" if what == "link" else "InputError")
    assert ("cannot be read" in noted) == (kind in ("config", "manifest", "result")) or kind == "zoo"


def test_a_pipe_with_a_writer_is_not_waited_for(root: Path) -> None:
    place = root / PLACES["config"]
    pipe(place)
    writer = os.open(place, os.O_RDWR)
    try:
        with pytest.raises(IntegrityError, match="not a regular file"):
            _ = Zoo.open(root).member(CHILD).config
    finally:
        os.close(writer)


FOLDERS = {
    "checkpoint": AT,
    "member": MEMBER,
    "parent": MEMBER.parent,
    "stage": Path("finetuning"),
    "pretraining": Path("pretraining"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_is_read_through_a_link(name: str, root: Path, tmp_path: Path) -> None:
    """Neither by listing nor by what a stranger's catalogue says is there."""
    zoo = Zoo.open(root)
    checkpoints = [zoo.checkpoint(CHILD, 1), zoo.checkpoint(PARENT, 1)]
    place = root / FOLDERS[name]
    shutil.move(place, tmp_path / "outside")
    place.symlink_to(tmp_path / "outside")
    fresh = Zoo.open(root)
    reached = 0
    for old in checkpoints:
        try:
            fresh.checkpoint(old.member.name, 1)
            reached += 1
        except VitzooError as error:
            assert str(error)
    assert reached == (0 if name == "pretraining" else 1) + (name == "pretraining")
    if name == "checkpoint":
        lured = Checkpoint(fresh.member(CHILD), 1)
        for reads in (lambda: lured.manifest, lured.tensors, lured.names, lured.check):
            with pytest.raises(IntegrityError, match="symbolic link"):
                reads()


NAMES = [
    "a b",
    "...",
    "CON",
    "ft.",
    "x" * 200,
    "\x1b[2Jft",
    "line\nbreak",
    "\u202egpj.exe",
    "-rf",
    "$(id)",
    "ﬀ",
    "nul\x01",
]


def test_strange_names_are_found_and_printed_harmlessly(root: Path, guarded: Server) -> None:
    made = 0
    for name in (*map(os.fsencode, NAMES), b"\xff\xfe"):
        for place in (root, root / "pretraining", root / MEMBER, root / AT):
            with contextlib.suppress(OSError):  # some file systems have no such names
                (place / os.fsdecode(name)).mkdir()
                made += 1
    for words in (["verify", root], ["verify", root, "--json"], ["ls", root]):
        outcome = guarded.run("command", *words)
        assert outcome.error == "", outcome
        said = outcome.value["out"] + outcome.value["errors"]
        assert all(character.isprintable() or character >= "\udc80" for character in said.replace("\n", " ")), said
        assert said.count("does not belong") == (made if "verify" in words else 0)


def test_names_that_differ_in_case_only(root: Path, guarded: Server) -> None:
    twin = root / "pretraining" / CHILD.upper()
    shutil.copytree(root / "pretraining" / PARENT, twin)
    assert "has the same name as" in look(guarded, root)[0]
    shutil.rmtree(twin)
    (root / AT).with_name("CHECKPOINT_000001").mkdir()
    assert "CHECKPOINT_000001 does not belong" in look(guarded, root)[0]


def changed(root: Path, kind: str, **changes: object) -> bytes:
    found = json.loads((root / PLACES[kind]).read_bytes())
    for path, value in changes.items():
        group = found
        *above, last = path.split("__")
        for key in above:
            group = group[key]
        group[last] = value
    return json.dumps(found).encode()


COLUMNS = {
    "twins in case": ("Lr", 1.0, "has 'Lr' beside 'lr'"),
    "a text of 5,000": ("note", "x" * 5000, "of more than 4,096 characters"),
    "a list of lists": ("note", [[1] * 50] * 50, "of more than 4,096 characters"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_factors_that_fit_no_table(name: str, root: Path, guarded: Server) -> None:
    factor, value, says = COLUMNS[name]
    plant(root, "config", changed(root, "config", **{f"recipe__hyperparameters__{factor}": value}))
    found, noted, outcome = look(guarded, root)
    assert says in found
    assert says in noted
    assert outcome.value["rows"] == 2


def test_too_many_columns(root: Path, guarded: Server) -> None:
    plant(root, "config", changed(root, "config", recipe__wide={f"f{i}": i for i in range(3000)}))
    found, noted, _ = look(guarded, root)
    assert "make more than 2000 columns" in found
    assert "make more than 2000 columns" in noted


def test_objects_and_odd_values_become_text(root: Path) -> None:
    odd = {"a": {"b": {"c": {"d": {"x'; DROP": [1, {"y": None}]}}}}, "nul": "a\0b", "empty": [], "mixed": [1, "a"]}
    plant(root, "config", changed(root, "config", recipe__odd=odd))
    rows = Zoo.open(root).rows("member = 'ft'")
    assert json.loads(rows[0]["odd_a_b_c_d"]) == {"x'; DROP": [1, {"y": None}]}
    assert (rows[0]["odd_nul"], json.loads(rows[0]["odd_mixed"])) == ("a\0b", [1, "a"])


def many_empty(count: int) -> bytes:
    return raw({str(i): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(count)})


def digits(count: int) -> bytes:
    return b'{"format": ' + b"1" * count + b"}"


LARGE = {
    "4,097 tensors": ("weights", lambda: many_empty(4097), "no zoo writes more than 4096"),
    "a million tensors": ("weights", lambda: struct.pack("<Q", 60_000_000) + bytes(60_000_000), "cut off or damaged"),
    "header of 1 MB and a bit": ("weights", lambda: raw(b"{" + b" " * 1_000_000 + b"}"), "cut off or damaged"),
    "header of spaces": ("weights", lambda: raw(b"{}" + b" " * 999_998), "its shape is none"),
    "a million brackets": ("config", lambda: b"[" * 500_000 + b"]" * 500_000, "not valid JSON"),
    "a third of a million lists": ("config", lambda: b"[" + b"[]," * 333_000 + b"0]", "does not hold a JSON object"),
    "a million digits": ("manifest", lambda: digits(999_000), "too large for a whole number"),
    "config over 1 MB": ("config", lambda: b'{"x": "' + b"a" * 1_000_000 + b'"}', "more than 1,000,000 bytes"),
    "manifest over 1 MB": ("manifest", lambda: b" " * 1_000_001, "more than 1,000,000 bytes"),
    "zoo.json over 1 MB": ("zoo", lambda: b" " * 1_000_001, "more than 1,000,000 bytes"),
    "a million lines": ("result", lambda: b'{"epoch":1}\n' * 1_000_000, "more than 100,001 lines"),
    "five million empty lines": ("result", lambda: b"\n" * 5_000_000, "more than 100,001 lines"),
    "a line of 1 MB": ("result", lambda: b'{"epoch": 0, "a": [' + b"1," * 500_000 + b"1]}", "more than 64,000 bytes"),
    "results of 65 MB": ("result", lambda: bytes(65_000_000), "more than 64,000,000 bytes"),
    "blueprint over 1 MB": ("blueprint", lambda: b"#" * 1_000_001, "more than 1,000,000 bytes"),
    "a third of a million nodes": ("blueprint", lambda: b"[" + b"[]," * 333_000 + b"0]", "more than 200,000 values"),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_files_cost_little(name: str, root: Path, guarded: Server, tmp_path: Path) -> None:
    kind, make, says = LARGE[name]
    (tmp_path / "large").write_bytes(make())
    outcome = guarded.run("read", kind, tmp_path / "large", root)
    assert outcome.module == "vitzoo.errors", outcome
    assert says in outcome.text or "larger than" in outcome.text
    assert outcome.seconds < 1
    assert outcome.added < MEMORY


def test_a_file_of_holes_is_refused_before_memory_is_taken(root: Path, guarded: Server) -> None:
    """Eight terabytes that cost their sender nothing."""
    side = 2**30
    header = {
        str(i): {"dtype": "F64", "shape": [1, side], "data_offsets": [i * 8 * side, (i + 1) * 8 * side]}
        for i in range(4)
    }
    start = raw(header)
    place = root / PLACES["weights"]
    place.write_bytes(start)
    try:
        os.truncate(place, len(start) + 4 * 8 * side)
    except OSError:
        pytest.skip("this file system has no such files")
    sign(root / AT, WEIGHTS, start)
    manifest = json.loads((root / PLACES["manifest"]).read_bytes())
    manifest["files"][WEIGHTS]["size"] = place.stat().st_size
    (root / PLACES["manifest"]).write_text(json.dumps(manifest))
    assert "the config declares" in look(guarded, root, "deep")[0]  # and it was not hashed for hours
    with pytest.raises(VitzooError, match="this machine has"):
        safetensors_io.read(place)
