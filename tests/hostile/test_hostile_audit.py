"""Reading a zoo executes nothing, unpickles nothing and reaches no network, also where a stranger planted all of it."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_zoo import make_families, sign

from vitzoo.zoo.layout import WEIGHTS

SCRIPT = Path(__file__).with_name("audited.py")
TOKEN = "canary-was-here"
FAMILY = "finetuning/pre-1/ft-1-adamw"


class Canary:
    """Makes a folder where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (TOKEN,))


def plant(root: Path) -> None:
    """Put pickles, modules and libraries where programs that trust a folder would take them from."""
    poison, module = pickle.dumps(Canary()), f"import os\nos.mkdir({TOKEN!r})\n"
    checkpoint = root / FAMILY / "checkpoint_000001"
    cache = root / "measures/moments-v1/44136fa355b3678a/00"
    for folder in (root, root / FAMILY, checkpoint, cache, root / ".grow"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("params.pkl", ".metadata.pkl", "checkpoints", "pytorch_model.bin", "data.pkl"):
            (folder / name).write_bytes(poison)
    for name in ("evil", "numpy", "torch", "duckdb", "sitecustomize", "conftest", "vitzoo"):
        (root / f"{name}.py").write_text(module)
    (root / "evil.so").write_bytes(b"\x7fELF" + bytes(100))
    (root / "planted.bin").write_bytes(poison)
    np.save(root / "planted.npy", np.array([Canary()], object), allow_pickle=True)
    for path in (checkpoint, root / "pretraining/pre-1/checkpoint_000000"):
        (path / WEIGHTS).write_bytes(poison)
        sign(path, WEIGHTS, poison)
    (root / "measures/moments-v1/44136fa355b3678a/about.json").write_bytes(poison)


class Run:
    """The script at work on a zoo that it has to itself, with that zoo as its working directory."""

    def __init__(self, root: Path, folder: Path, *words: str) -> None:
        self.root, self.folder = root, folder
        folder.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("VITZOO_", "PYTHON"))}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(root), str(folder), *words],
            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def result(self) -> dict[str, list[str]]:
        out, errors = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, errors
        return json.loads(out)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """A sound zoo and one with everything planted, read at the same time; and violations in a copy of the latter."""
    place = tmp_path_factory.mktemp("audit")
    sound = make_families(place / "sound").path
    planted = shutil.copytree(sound, place / "planted")
    plant(planted)
    violated = shutil.copytree(planted, place / "violated")
    started = {
        "sound": Run(sound, place / "out-sound"),
        "planted": Run(planted, place / "out-planted"),
        "violated": Run(violated, place / "out-violated", "violate"),
    }
    yield started
    for run in started.values():
        run.process.kill()
        run.process.communicate()


def assert_clean(run: Run, done: list[str], found: list[str]) -> None:
    assert found == []
    assert len(done) == 21
    assert not list(run.root.parent.rglob(TOKEN))
    assert (run.folder / "report/index.html").exists()


def test_a_sound_zoo(runs: dict[str, Run]) -> None:
    result = runs["sound"].result()
    assert_clean(runs["sound"], **result)
    assert not [line for line in result["done"] if ": " in line]  # nothing was refused


def test_a_zoo_with_poison_in_it(runs: dict[str, Run]) -> None:
    result = runs["planted"].result()
    assert_clean(runs["planted"], **result)
    refused = [line.partition(": ")[0] for line in result["done"] if ": " in line]
    assert refused == ["tensors"]  # pickles that call themselves weights; the rest goes on without them


def test_each_violation_would_be_noticed(runs: dict[str, Run]) -> None:
    result = runs["violated"].result()
    assert result["done"] == []
    events = {line.partition(" ")[0] for line in result["found"]}
    assert events >= {"pickle.find_class", "compile", "exec", "import", "marshal.loads", "ctypes.dlopen", "open"}
    assert events >= {"os.system", "subprocess.Popen", "os.fork", "urllib.Request"}
    assert events >= {"socket.connect", "socket.getaddrinfo", "socket.bind"}
    assert not list(runs["violated"].root.parent.rglob(TOKEN))
