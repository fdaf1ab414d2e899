"""``vitzoo merge study`` and what ``vitzoo report`` shows of it, end to end on a zoo grown for the test."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from study_zoo import MEMBERS, grow
from zoo_edits import reopened, rewrite

from vitzoo.cli.main import main
from vitzoo.zoo import Zoo

Run = Callable[..., tuple[str, str]]
FIGURES = {"averages", "soups", "windows"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    return grow(tmp_path_factory.mktemp("grown"), cache)


@pytest.fixture
def zoo(grown: Path, tmp_path: Path) -> Zoo:
    return Zoo.open(shutil.copytree(grown, tmp_path / "zoo"))


@pytest.fixture
def run(
    zoo: Zoo, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    monkeypatch.setenv("VITZOO_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)

    def call(*words: str, code: int = 0) -> tuple[str, str]:
        done = main([*words])
        out, err = capsys.readouterr()
        assert done == code, out + err
        return out, err

    return call


def test_a_study_is_printed_written_and_reported(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    run("report", str(zoo.path))
    page = tmp_path / "reports" / "averaged" / "index.html"
    assert "vitzoo merge study ZOO" in page.read_text("utf-8")
    out, err = run("merge", "study", str(zoo.path), "--last", "3")
    assert "averaged: averages of the last 3 checkpoints of a member" in out and err == ""
    assert f"of {MEMBERS // 2} members of adamw" in out
    marks = [line for line in out.splitlines() if line.startswith(("✓ holds", "✗ does not hold", "· cannot be tested"))]
    assert len(marks) == 7
    files = {path.name for path in (tmp_path / "reports" / "averaged" / "figures").iterdir()}
    assert {f"{name}.svg" for name in FIGURES} <= files
    read = json.loads((tmp_path / "reports" / "averaged" / "averages.json").read_text("utf-8"))
    assert read["last"] == 3 and len(read["members"]) == len(read["soups"]) == MEMBERS
    assert [finding["key"].split(".")[0] for finding in read["findings"]] == ["averaging"] * 7
    run("report", str(zoo.path))
    text = page.read_text("utf-8")
    assert "vitzoo merge study ZOO" not in text
    assert all(f'id="figure-{name}"' in text for name in FIGURES)
    assert all(finding["statement"] in text for finding in read["findings"])
    assert "were averaged uniformly over their last 3 checkpoints" in text


def test_json_is_all_that_is_printed(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    out, _ = run("merge", "study", str(zoo.path), "--last", "2", "--out", str(tmp_path / "here"), "--png", "--json")
    found = json.loads(out)
    assert found["last"] == 2 and {Path(file).suffix for file in found["files"]} == {".json", ".svg", ".png"}
    assert all(Path(file).is_file() for file in found["files"])
    stored = json.loads((tmp_path / "here" / "averages.json").read_text("utf-8"))
    assert stored == {name: value for name, value in found.items() if name != "files"}


def test_damage_is_said_and_the_rest_is_done(zoo: Zoo, run: Run) -> None:
    name = next(member.name for member in zoo.members("finetuning"))
    rewrite(zoo.checkpoint(name, 4), lambda t: {k: v + 1 for k, v in t.items()}, sign=False)
    reopened(zoo)
    out, err = run("merge", "study", str(zoo.path), "--last", "3", code=4)
    assert f"left out: {name}, epoch 4" in err and "Soups" in out
    assert str(zoo.path) not in err


def test_what_cannot_be_studied(zoo: Zoo, run: Run) -> None:
    assert "within the zoo" in run("merge", "study", str(zoo.path), "--out", str(zoo.path / "x"), code=3)[1]
    assert "the most is 4" in run("merge", "study", str(zoo.path), code=3)[1]
    (zoo.path / "file").write_text("")
    shutil.rmtree(zoo.path / "finetuning")
    (zoo.path / "finetuning").mkdir()
    reopened(zoo)
    assert "no finished fine-tuned member" in run("merge", "study", str(zoo.path), code=3)[1]


def test_importing_the_command_imports_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'matplotlib', 'torch', 'scipy', 'sklearn', 'duckdb'}"
    code = f"import sys, vitzoo.cli.merge.study; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
