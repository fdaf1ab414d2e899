"""The commands ``ls``, ``show`` and ``verify``, from the argument list to what is printed."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "zoo"))
from little_zoo import make_config, populate

from vitzoo.cli.main import main
from vitzoo.cli.waiting import Waiting
from vitzoo.zoo import Zoo

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished little zoo that no test changes."""
    return populate(tmp_path_factory.mktemp("grown") / "zoo").path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command and return its exit code, output and errors."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: Any) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_ls_lists_members_best_first(run: Run, grown: Path) -> None:
    code, out, err = run("ls", grown)
    assert (code, err) == (0, "")
    assert out.startswith("little: 6 members (6 finished), 24 checkpoints, ")
    assert "6 members at the last checkpoint, by test_acc (largest first)" in out
    rows = json.loads(run("ls", grown, "--json")[1])["rows"]
    assert [row["test_acc"] for row in rows] == sorted((row["test_acc"] for row in rows), reverse=True)
    assert max(map(len, out.splitlines())) <= 100


def test_ls_rows_are_checkpoints_if_the_epoch_is_asked_for(run: Run, grown: Path) -> None:
    members = json.loads(run("ls", grown, "--where", "optimizer = 'sgd' OR seed = 2", "--json")[1])
    assert (members["rows_are"], members["matching"]) == ("members", 3)
    found = json.loads(run("ls", grown, "--where", "optimizer = 'sgd' AND epoch < 2", "--json", "--limit", 1)[1])
    assert (found["rows_are"], found["matching"], len(found["rows"])) == ("checkpoints", 4, 1)
    assert found["members"] == {"finished": 6}


def test_ls_columns_sort_and_limit(run: Run, grown: Path) -> None:
    code, out, _ = run("ls", grown, "--columns", "member,test_acc,size", "--sort", "member", "--limit", 2)
    assert code == 0
    assert "ft-adamw-1" in out
    assert "ft-sgd-1" not in out
    assert "4 more; --all shows them." in out
    assert " %" in out
    assert " kB" in out
    assert "more" not in run("ls", grown, "--all")[1]
    assert "No checkpoint fits." in run("ls", grown, "--where", "epoch > 99")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--where", "optimiser = 'sgd'"], "Did you mean 'optimizer'"),
        (["--where", "1 = 1) OR (1 = 1; --"], "cannot be used"),
        (["--columns", "lrr"], "Did you mean 'lr'"),
        (["--sort", "tset_acc"], "Did you mean 'test_acc'"),
    ],
)
def test_ls_wrong_arguments(run: Run, grown: Path, arguments: list[str], message: str) -> None:
    code, out, err = run("ls", grown, *arguments)
    assert code == 3
    assert message in err
    assert out == ""


def test_no_zoo(run: Run, tmp_path: Path) -> None:
    for command in (["ls"], ["verify"], ["show", "x"]):
        code, _, err = run(command[0], tmp_path, *command[1:])
        assert code == 3
        assert "is not a zoo" in err


def test_ls_tells_of_damage(run: Run, grown: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(grown, tmp_path / "zoo"))
    (root / "pretraining/pre1/checkpoint_000003/manifest.json").write_text("{}")
    (root / "catalogue.parquet").unlink()  # a change inside a checkpoint does not make it stale
    code, out, err = run("ls", root)
    assert code == 0
    assert "23 checkpoints" in out
    assert "run `vitzoo verify`" in err


def test_show(run: Run, grown: Path) -> None:
    code, out, _ = run("show", grown, "pre1")
    assert code == 0
    assert "pre1: pretraining, finished, 4 checkpoints to epoch 3 of 3." in out
    assert "parent of 2 members:" in out
    assert "▁" in out
    assert "test_acc" in out
    assert max(map(len, out.splitlines())) <= 120
    child = run("show", grown, "ft-sgd-1")[1]
    assert "comes from pre1, epoch 3 (" in child
    code, _, err = run("show", grown, "pree1")
    assert (code, "Did you mean 'pre1'" in err) == (3, True)


def test_show_json(run: Run, grown: Path) -> None:
    found = json.loads(run("show", grown, "ft-adamw-2", "--json")[1])
    assert (found["ancestors"], found["parent"]["epoch"], found["status"]) == (["pre2"], 3, "finished")
    assert [line["epoch"] for line in found["curve"]] == [0, 1, 2, 3]
    assert [c["epoch"] for c in found["checkpoints"]] == [0, 1, 2, 3]
    assert found["recipe"]["hyperparameters"]["optimizer"] == "adamw"


def test_show_planned_and_diverged(run: Run, tmp_path: Path) -> None:
    zoo = Zoo.create(tmp_path / "zoo", name="n", licence="l", blueprint="", execution={})
    member = zoo.add_member(make_config("m"))
    assert "planned, no checkpoints" in run("show", zoo.path, "m")[1]
    assert "1 members (1 planned)" in run("ls", zoo.path)[1].replace("1 member (", "1 members (")
    member.record_divergence(0, {"train_loss": float("nan")})
    assert "0 diverged" in run("show", zoo.path, "m")[1]
    assert json.loads(run("show", zoo.path, "m", "--json")[1])["curve"][0]["diverged"] is True


def test_verify(run: Run, grown: Path, tmp_path: Path) -> None:
    code, out, err = run("verify", grown, "--deep")
    assert (code, err) == (0, "")
    assert out.startswith("No problem was found in 6 members, 24 checkpoints, ")
    root = Path(shutil.copytree(grown, tmp_path / "zoo"))
    weights = root / "pretraining/pre1/checkpoint_000003/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xaa")
    assert run("verify", root)[0] == 0
    code, out, _ = run("verify", root, "--deep")
    assert code == 4
    assert out.startswith("pretraining/pre1/checkpoint_000003/model.safetensors does not have the digest")
    assert "1 problem found in" in out
    code, out, _ = run("verify", root, "--deep", "--json")
    assert code == 4
    assert [f["path"] for f in json.loads(out)["findings"]] == [str(weights)]


def test_verify_prints_no_control_characters(run: Run, grown: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(grown, tmp_path / "zoo"))
    (root / "a\x1b[2Jb").touch()
    code, out, _ = run("verify", root)
    assert (code, "\x1b" in out) == (4, False)


def test_progress_after_a_while(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    waiting = Waiting()
    for done in (1, 2, 3):
        now[0] += 31
        waiting.take("Checking", 31 * done, 124, "checkpoints")
    waiting.close()
    assert capsys.readouterr().err.splitlines()[0] == "Checking: 31 of 124 checkpoints, 1 min 33 s left."
