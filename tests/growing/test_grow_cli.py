"""Growing from the command line, end to end: what it makes, what it refuses, what it says."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from little_grow import CHECKPOINTS, FIXED, MEMBERS, environment, hashes, only, vitzoo

from vitzoo.blueprint import expand, load
from vitzoo.cli.main import main
from vitzoo.errors import BusyError
from vitzoo.growing.lock import exclusive
from vitzoo.zoo import Zoo


def test_every_member_of_the_blueprint_is_there(grown: Path, blueprint: Path) -> None:
    zoo = Zoo.open(grown)
    stages = expand(load(blueprint))
    assert {m.name: m.id for m in zoo.members()} == {r.name: r.id for stage in stages for r in stage}
    assert all(member.status == "finished" for member in zoo.members())
    for recipe in stages[1]:
        member = zoo.member(recipe.name)
        assert member.parent and member.parent.id == recipe.parent
        assert member.epochs() == [0, 2, 3]
        assert [line["epoch"] for line in member.curve()] == [0, 1, 2, 3]
        origin = member.checkpoints()[0].manifest["parent"]
        assert origin == {"member": member.parent.name, "epoch": 2, "sha256": member.parent.checkpoint().sha256}
    assert only(grown, ".") == []


def test_fine_tuning_starts_from_the_parents_last_weights(grown: Path) -> None:
    zoo = Zoo.open(grown)
    for member in zoo.members("finetuning"):
        assert member.parent
        start, above = member.checkpoint(0).tensors(), member.parent.checkpoint().tensors()
        assert all((start[name] == above[name]).all() for name in above if not name.startswith("head"))


def test_ls_show_and_verify_agree(grown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", str(grown), "--json", "--where", "epoch >= 0"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["members"] == {"finished": MEMBERS}
    assert listed["matching"] == CHECKPOINTS
    assert {row["sha256"] for row in listed["rows"]} == set(hashes(grown).values())
    assert main(["verify", str(grown), "--deep", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] and report["checkpoints"] == CHECKPOINTS
    assert all("measures" in note for note in report["notes"])  # other tests may have measured this zoo
    assert main(["show", str(grown), "ft_mlp_seed1_bs32_sgd", "--json"]) == 3  # two members fit
    assert "2 members" in capsys.readouterr().err
    name = Zoo.open(grown).members("finetuning")[0].name
    assert main(["show", str(grown), name]) == 0
    assert "comes from" in capsys.readouterr().out


def test_a_complete_zoo_is_left_as_it_is_and_quickly(grown: Path, blueprint: Path, cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in grown.rglob("*")}
    code = "import sys; from vitzoo.cli.main import main; code = main(sys.argv[1:]); "
    code += "print('torch' in sys.modules, file=sys.stderr); sys.exit(code)"
    words = [sys.executable, "-c", code, "grow", str(blueprint), "--zoo", str(grown), *FIXED]
    begun = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment(cache))
    assert time.monotonic() - begun < 2
    assert done.stderr.split() == ["False"]
    assert "There is nothing to do." in done.stdout
    assert {path: path.stat().st_mtime_ns for path in grown.rglob("*")} == before


def test_json_of_a_complete_zoo(grown: Path, blueprint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grow", str(blueprint), "--zoo", str(grown), "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    assert (told["members"], told["done"], told["grown"], told["failures"]) == (MEMBERS, MEMBERS, 0, [])


def test_a_member_that_is_lost_is_grown_again_to_the_same_bits(copy: Path, blueprint: Path, cache: Path) -> None:
    expected = hashes(copy)
    lost = Zoo.open(copy).members("finetuning")[0].path
    shutil.rmtree(lost)
    done = vitzoo(cache, "grow", blueprint, "--zoo", copy, "--workers", "1", "--json")
    told = json.loads(done.stdout)
    assert (told["members"], told["done"], told["grown"], told["failures"]) == (MEMBERS, MEMBERS, 1, [])
    assert hashes(copy) == expected


def test_a_zoo_that_grows_is_busy(copy: Path, blueprint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(Zoo.open(copy).members("finetuning")[0].path)
    (copy / ".grow").mkdir()
    with exclusive(copy):
        assert main(["grow", str(blueprint), "--zoo", str(copy)]) == 1
    assert f"is being grown by process {os.getpid()}." in capsys.readouterr().err


def test_a_zoo_that_grows_on_another_machine_is_busy(copy: Path) -> None:
    (copy / ".grow").mkdir()
    with (copy / ".grow" / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps({"pid": 7, "host": "node3"}))
        file.flush()
        with pytest.raises(BusyError, match=r"is being grown by process 7 on node3\."), exclusive(copy):
            pass


def test_another_blueprint_is_refused(grown: Path, blueprint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--zoo", str(grown), "--set", "finetuning.hyperparameters.epochs=5"]
    assert main(["grow", str(blueprint), *arguments]) == 3
    error = capsys.readouterr().err
    assert "was begun with another blueprint: 2 of its 10 members are among the 10 asked for" in error
    assert str(grown / "blueprint.yaml") in error


@pytest.mark.parametrize(("option", "value"), [("precision", "bf16"), ("stack", "3")])
def test_another_execution_is_refused(
    option: str, value: str, grown: Path, blueprint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grow", str(blueprint), "--zoo", str(grown), f"--{option}", value]) == 3
    error = capsys.readouterr().err
    assert f"begun with {option}" in error and f"--{option} {value} would change its weights" in error


@pytest.mark.parametrize(
    ("option", "value", "code"), [("precision", "fp8", 3), ("device", "tpu", 3), ("stack", "0", 2), ("workers", "0", 2)]
)
def test_impossible_wishes_are_refused_and_leave_nothing(
    option: str, value: str, code: int, tmp_path: Path, blueprint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grow", str(blueprint), "--zoo", str(tmp_path / "zoo"), f"--{option}", value]) == code
    assert option in capsys.readouterr().err
    assert not (tmp_path / "zoo").exists()


def test_missing_data_is_one_clear_error_and_what_can_be_grown_is(
    tmp_path: Path, blueprint: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fine-tuning data is missing: the backbones grow, the others stay planned."""
    source = "finetuning.dataset.source=npz:missing.npz"
    settings = ["--set", source, "--set", "finetuning.dataset.classes=10", "--set", "finetuning.checkpoints.every=9"]
    zoo, data = tmp_path / "zoo", tmp_path / "data"
    words = ["grow", blueprint, "--zoo", zoo, "--data", data, *FIXED, *settings]
    done = vitzoo(cache, *words, "--workers", "1", code=3)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ") and "missing.npz" in done.stderr
    assert "holds 2 of 10." in done.stdout
    statuses = [member.status for member in Zoo.open(zoo).members()]
    assert sorted(statuses) == ["finished"] * 2 + ["planned"] * 8
    assert only(zoo, ".") == []
    assert main(["verify", str(zoo), "--deep", "--json"]) == 4
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["problem"] for finding in findings] == ["has no checkpoints"] * 8
