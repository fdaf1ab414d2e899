"""``vitzoo export`` from the argument list to files and what is printed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exportable import populate

from vitzoo.cli.main import main
from vitzoo.zoo import Zoo

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return populate(tmp_path_factory.mktemp("grown") / "zoo").path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: Any) -> tuple[int, str, str]:
        code = main(["export", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_what_was_exported_is_said(run: Run, grown: Path, tmp_path: Path) -> None:
    code, out, err = run(grown, "--to", "timm", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert out.startswith(f"Exported 6 checkpoints of 6 members to {tmp_path / 'out'}: 18 files, ")
    assert "2 of 6 members with an MLP head" in out
    assert "2 members trained contrastively" not in out  # one of the six was
    assert "README.md says how to use it" in out


def test_json_is_one_document(run: Run, grown: Path, tmp_path: Path) -> None:
    code, out, err = run(grown, "--to", "npz", "--part", "backbone", "--out", tmp_path / "out", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert {key: found[key] for key in ("zoo", "licence", "to", "written", "members", "checkpoints", "left_out")} == {
        "zoo": "little",
        "licence": "CC-BY-4.0",
        "to": "npz",
        "written": True,
        "members": 6,
        "checkpoints": 6,
        "left_out": [],
    }
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert (found["files"], found["bytes"]) == (len(files), sum(path.stat().st_size for path in files))


def test_a_dry_run_says_what_it_would_be(run: Run, grown: Path, tmp_path: Path) -> None:
    code, out, _ = run(grown, "--to", "huggingface", "--out", tmp_path / "out", "--dry-run", "--epoch", "all")
    assert code == 0
    assert out.startswith(f"Would export 18 checkpoints of 6 members to {tmp_path / 'out'}: about ")
    assert "Nothing was written." in out
    assert not list(tmp_path.iterdir())


def test_epochs_and_a_condition(run: Run, grown: Path, tmp_path: Path) -> None:
    wish = ("--where", "stage = 'finetuning' AND head = 'linear'", "--epoch", "0,2")
    assert run(grown, "--to", "npz", "--out", tmp_path / "out", *wish)[0] == 0
    assert np.load(tmp_path / "out" / "weights.npy", allow_pickle=False).shape[0] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "tim"), "There is no target 'tim'; use official, timm, huggingface, npz. Did you mean 'timm'?"),
        (("--to", "timm", "--epoch", "first"), "--epoch 'first' is neither 'last' nor 'all' nor whole numbers"),
        (("--to", "timm", "--epoch", "7"), "has no checkpoint that fits, so there is nothing to export."),
        (("--to", "timm", "--where", "lr > 5"), "has no checkpoint that fits, so there is nothing to export."),
        (("--to", "timm", "--where", "learning = 5"), "The catalogue has no column 'learning'"),
        (("--to", "timm", "--part", "backbone"), "An export to timm has no choice of --part. Leave it out."),
        (("--to", "npz", "--copy"), "An export to npz has no choice of --copy. Leave it out."),
        (("--to", "npz", "--part", "neck"), "'neck' is no part of a model; use model, backbone, head."),
        (("--to", "npz"), "A matrix needs checkpoints of one shape"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(
    run: Run, grown: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(grown, "--out", tmp_path / "out", *words)
    assert (code, out) == (3, "")
    assert err.startswith("error: ")
    assert said in err
    assert not list(tmp_path.iterdir())


def test_what_is_left_out_is_said_and_shows_in_the_exit_code(run: Run, tmp_path: Path) -> None:
    zoo = populate(tmp_path / "zoo")
    last = zoo.checkpoint("ft-linear-supervised").path
    for path in (*last.iterdir(), last):
        path.unlink() if path.is_file() else path.rmdir()
    (zoo.path / "catalogue.parquet").unlink(missing_ok=True)
    code, out, err = run(zoo.path, "--to", "timm", "--out", tmp_path / "one")
    assert code == 1
    assert "left out: ft-linear-supervised: " in err
    assert out.startswith("Exported 5 checkpoints of 5 members")
    assert "* ft-linear-supervised: " in (tmp_path / "one" / "README.md").read_text()

    (zoo.checkpoint("ft-mlp-supervised").path / "manifest.json").write_text("{}")
    code, out, err = run(Zoo.open(zoo.path).path, "--to", "timm", "--out", tmp_path / "two", "--json")
    assert code == 4
    assert json.loads(out)["checkpoints"] == 4
    assert str(tmp_path) not in json.dumps(json.loads(out)["left_out"])


@pytest.mark.parametrize(("to", "part"), [("timm", "model"), ("huggingface", "model"), ("npz", "backbone")])
def test_neither_torch_nor_timm_nor_the_network_is_needed(grown: Path, tmp_path: Path, to: str, part: str) -> None:
    code = f"""
import sys

def hook(event, arguments):
    if event.startswith("socket.") or event in ("pickle.find_class", "subprocess.Popen", "os.system"):
        raise AssertionError(event)

sys.addaudithook(hook)
from vitzoo.cli.main import main
assert main(["export", {str(grown)!r}, "--to", {to!r}, "--part", {part!r}, "--out", {str(tmp_path / "out")!r}]) == 0
heavy = {{"torch", "timm", "transformers", "matplotlib", "huggingface_hub", "fsspec"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_is_quick() -> None:
    code = """
import sys
from vitzoo.cli.main import main
main(["export", "--help"])
assert not {"numpy", "duckdb", "pyarrow", "torch"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--dry-run" in done.stdout
