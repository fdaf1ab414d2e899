"""Verify finds every planted fault, says where, and finds nothing in a sound zoo."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from little_zoo import grow, make_config

from vitzoo.errors import VitzooError
from vitzoo.zoo import Zoo, verify
from vitzoo.zoo.layout import checkpoint_name

CHILD = "finetuning/pre1/ft-sgd-1"
AT = f"{CHILD}/checkpoint_000002"


def flip(path: Path, index: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[index] ^= 1
    path.write_bytes(data)


def edit(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def swap(root: Path) -> None:
    a, b = (root / CHILD / checkpoint_name(e) / "model.safetensors" for e in (1, 2))
    one, two = a.read_bytes(), b.read_bytes()
    a.write_bytes(two)
    b.write_bytes(one)


def lines(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


# name → (fault, where the finding must be, only a deep check can see it)
FAULTS: dict[str, tuple[Callable[[Path], object], str, bool]] = {
    "truncated": (lambda z: (z / AT / "model.safetensors").write_bytes(b"x" * 50), f"{AT}/model.safetensors", False),
    "one byte less": (lambda z: cut(z / AT / "model.safetensors"), f"{AT}/model.safetensors", False),
    "flipped byte": (lambda z: flip(z / AT / "model.safetensors"), f"{AT}/model.safetensors", True),
    "flipped header": (lambda z: flip(z / AT / "model.safetensors", 9), f"{AT}/model.safetensors", False),
    "weights missing": (lambda z: (z / AT / "model.safetensors").unlink(), f"{AT}/model.safetensors", False),
    "manifest missing": (lambda z: (z / AT / "manifest.json").unlink(), f"{AT}/manifest.json", False),
    "copy missing": (lambda z: (z / AT / "config.json").unlink(), f"{AT}/config.json", False),
    "config missing": (lambda z: (z / CHILD / "config.json").unlink(), f"{CHILD}/config.json", False),
    "swapped": (swap, f"{AT}/model.safetensors", True),
    "extra in checkpoint": (lambda z: (z / AT / "x.bin").touch(), f"{AT}/x.bin", False),
    "extra in member": (lambda z: (z / CHILD / "x").mkdir(), f"{CHILD}/x", False),
    "extra in stage": (lambda z: (z / "pretraining" / "x.txt").touch(), "pretraining/x.txt", False),
    "extra in root": (lambda z: (z / "x.txt").touch(), "x.txt", False),
    "bad name": (lambda z: (z / "pretraining" / "a b").mkdir(), "pretraining/a b", False),
    "wrong copy": (lambda z: flip(z / AT / "config.json", 20), f"{AT}/config.json", False),
    "flipped config": (lambda z: flip(z / CHILD / "config.json", 3), f"{CHILD}/config.json", False),
    "unknown parent": (
        lambda z: edit(z / CHILD / "checkpoint_000000/manifest.json", lambda m: m["parent"].update(epoch=9)),
        f"{CHILD}/checkpoint_000000/manifest.json",
        False,
    ),
    "parent with other weights": (
        lambda z: edit(z / AT / "manifest.json", lambda m: m["parent"].update(sha256="0" * 64)),
        f"{AT}/manifest.json",
        False,
    ),
    "no parent": (
        lambda z: edit(z / AT / "manifest.json", lambda m: m.update(parent=None)),
        f"{AT}/manifest.json",
        False,
    ),
    "parent in pre-training": (
        lambda z: edit(
            z / "pretraining/pre1/checkpoint_000000/manifest.json",
            lambda m: m.update(parent={"member": "pre2", "epoch": 0, "sha256": "0" * 64}),
        ),
        "pretraining/pre1/checkpoint_000000/manifest.json",
        False,
    ),
    "other epoch": (
        lambda z: edit(z / AT / "manifest.json", lambda m: m.update(epoch=7)),
        f"{AT}/manifest.json",
        False,
    ),
    "other size": (
        lambda z: edit(z / AT / "manifest.json", lambda m: m["files"]["config.json"].update(size=1)),
        f"{AT}/config.json",
        False,
    ),
    "other metric": (
        lambda z: edit(z / AT / "manifest.json", lambda m: m["metrics"].update(test_acc=1)),
        f"{CHILD}/result.json",
        False,
    ),
    "wrong line": (
        lambda z: lines(z / CHILD / "result.json", lambda r: [r[0].replace(b"2.0", b"2.5"), *r[1:]]),
        f"{CHILD}/result.json",
        False,
    ),
    "line missing": (lambda z: lines(z / CHILD / "result.json", lambda r: r[1:]), f"{CHILD}/result.json", False),
    "lines out of order": (
        lambda z: lines(z / CHILD / "result.json", lambda r: r[::-1]),
        f"{CHILD}/result.json",
        False,
    ),
    "result missing": (lambda z: (z / CHILD / "result.json").unlink(), f"{CHILD}/result.json", False),
    "checkpoint removed": (lambda z: shutil.rmtree(z / AT), AT, False),
    "last checkpoint removed": (
        lambda z: shutil.rmtree(z / CHILD / "checkpoint_000003"),
        f"{CHILD}/checkpoint_000003",
        False,
    ),
    "checkpoint renamed": (
        lambda z: (z / AT).rename(z / CHILD / "checkpoint_000009"),
        f"{CHILD}/checkpoint_000009/manifest.json",
        False,
    ),
    "parent removed": (lambda z: shutil.rmtree(z / "pretraining/pre1"), f"{CHILD}/config.json", False),
    "no checkpoints": (
        lambda z: [shutil.rmtree(p) for p in (z / CHILD).glob("checkpoint_*")] + [(z / CHILD / "result.json").unlink()],
        CHILD,
        False,
    ),
    "member moved": (lambda z: shutil.move(z / CHILD, z / "pretraining"), "pretraining/ft-sgd-1/config.json", False),
    "name twice": (
        lambda z: shutil.copytree(z / "pretraining/pre1", z / "pretraining/PRE1"),
        "pretraining/pre1",
        False,
    ),
    "staging": (lambda z: (z / CHILD / ".staging-4-1-ab").mkdir(), f"{CHILD}/.staging-4-1-ab", False),
    "blueprint missing": (lambda z: (z / "blueprint.yaml").unlink(), "blueprint.yaml", False),
    "zoo.json": (lambda z: flip(z / "zoo.json", 3), "zoo.json", False),
    "link to weights": (lambda z: link(z / AT / "model.safetensors"), f"{AT}/model.safetensors", False),
    "link to checkpoint": (lambda z: link(z / AT), AT, False),
    "link to member": (lambda z: link(z / CHILD), CHILD, False),
    "link to parent": (lambda z: link(z / "finetuning/pre1"), "finetuning/pre1", False),
    "link to stage": (lambda z: link(z / "finetuning"), "finetuning", False),
    "link to catalogue": (lambda z: (z / "catalogue.parquet").symlink_to("/etc/hostname"), "catalogue.parquet", False),
}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def link(path: Path) -> None:
    """Move something out of the zoo and put a link in its place."""
    outside = path.parents[len(path.parents) - 1 - path.parts.index("zoo") + 1] / "outside"
    shutil.move(path, outside)
    path.symlink_to(outside)


@pytest.mark.parametrize("name", FAULTS)
def test_finds(zoo: Zoo, name: str) -> None:
    fault, place, only_deep = FAULTS[name]
    fault(zoo.path)
    for deep in (False, True):
        found = {Path(f.path).relative_to(zoo.path).as_posix(): f for f in verify(zoo, deep).findings}
        assert (place in found) == (deep or not only_deep), found
        for finding in found.values():
            assert len(str(finding).split(". ")) >= 2
            assert str(finding).endswith(".")


def test_every_byte_counts(zoo: Zoo) -> None:
    """Flip each byte of a checkpoint's weights and of the small files in turn: a deep check sees it."""
    for name in ("model.safetensors", "config.json", "manifest.json"):
        path = zoo.path / AT / name
        original = path.read_bytes()
        for index in range(0, len(original), 1 if name == "model.safetensors" else 11):
            flip(path, index)
            assert verify_one(zoo), (name, index)
            path.write_bytes(original)
    assert not verify_one(zoo)


def verify_one(zoo: Zoo) -> list:
    """Deep check of one member only, which makes the sweep over all bytes quick."""
    from vitzoo.zoo import verify_member

    seen = {member.name: verify_member.survey(member) for member in (zoo.member("ft-sgd-1"), zoo.member("pre1"))}
    own = seen["ft-sgd-1"]
    found = []
    for epoch in own.epochs:
        checked = verify_member.checkpoint(own, epoch, deep=True)
        found += checked.findings
        if checked.manifest:
            own.manifests[epoch] = checked.manifest
    return [*found, *verify_member.references(own, seen), *verify_member.results_agree(own)]


def test_allowed_company_is_no_finding(zoo: Zoo) -> None:
    (zoo.path / "measures").mkdir()
    (zoo.path / "measures" / "anything").touch()
    (zoo.path / ".grow").mkdir()
    (zoo.path / "README.md").touch()
    zoo.rebuild_catalogue()
    report = verify(zoo, deep=True)
    assert (report.findings, report.members, report.checkpoints) == ([], 6, 24)
    assert len(report.notes) == 2


def test_progress_and_counts(empty: Zoo) -> None:
    grow(empty.add_member(make_config("m")))
    calls: list[tuple[int, int]] = []
    report = verify(empty, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    weights = sum(p.stat().st_size for p in empty.path.rglob("checkpoint_*/*") if p.name != "manifest.json")
    assert report.bytes == weights


HOSTILE_JSON = {
    "over 1 MB": b'{"x": "' + b"a" * 1_000_000 + b'"}',
    "deep": b"[" * 50_000 + b"]" * 50_000,
    "a bit too deep": b'{"a":' * 33 + b"1" + b"}" * 33,
    "NaN": b'{"format": 1, "x": NaN}',
    "Infinity": b'{"x": -Infinity}',
    "overflow": b'{"x": 1e999}',
    "long number": b'{"x": ' + b"1" * 5000 + b"}",
    "duplicate": b'{"format": 1, "format": 1}',
    "no utf-8": b'{"\xff": 1}',
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "truncated": b'{"format": 1',
}


@pytest.mark.parametrize("name", ["zoo.json", f"{CHILD}/config.json", f"{CHILD}/result.json", f"{AT}/manifest.json"])
@pytest.mark.parametrize("data", HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())
def test_hostile_json_gives_typed_errors_only(zoo: Zoo, name: str, data: bytes) -> None:
    if name.endswith("result.json") and not data:
        pytest.skip("an empty result.json is no line too many")
    (zoo.path / name).write_bytes(data)
    assert name in {Path(f.path).relative_to(zoo.path).as_posix() for f in verify(zoo).findings}
    try:
        fresh = Zoo.open(zoo.path)
        fresh.rows()
        assert fresh.catalogue().notes or name == "zoo.json"
        assert fresh.checkpoint("ft-sgd-1", 2).metrics
        fresh.member("ft-sgd-1").curve()
        assert fresh.member("ft-sgd-1").recipe
    except VitzooError as error:
        assert str(error).endswith(".")
    else:
        pytest.fail("nothing was noticed")
