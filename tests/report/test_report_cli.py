"""``vitzoo report``: where it writes, what it prints, and its exit code. Measuring itself is tested elsewhere."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from vitzoo.cli.report import report
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements
from vitzoo.measures.selection import LeftOut
from vitzoo.zoo import Zoo


@pytest.fixture
def plain(friendly: Path) -> Path:
    return friendly.parent.parent / "zoo"


def run(monkeypatch: pytest.MonkeyPatch, measured: Measurements, *arguments: str | Path) -> Result:
    monkeypatch.setattr("vitzoo.cli.report.Request.measurements", lambda self: measured)
    app = typer.Typer()
    app.command()(report)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_writes_beside_nothing_else_by_default(
    plain: Path, measurements: Measurements, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(monkeypatch, replace(measurements, left_out=()), plain)
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    assert (tmp_path / "reports" / "nano" / "index.html").is_file()
    assert "reports/nano/index.html: " in done.stdout and "files of figures." in done.stdout
    assert "the figure curves is not drawn" in done.stderr  # this zoo has no fine-tuned member on disk


@pytest.mark.parametrize(("damaged", "code"), [(False, 1), (True, 4)])
def test_what_was_left_out_decides_the_exit_code(
    plain: Path, measurements: Measurements, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damaged: bool, code: int
) -> None:
    left_out = (LeftOut("ft", "why", damaged),)
    done = run(monkeypatch, replace(measurements, left_out=left_out), plain, "--out", tmp_path, "--json", "--png")
    assert done.exit_code == code
    found = json.loads(done.stdout)
    assert found["left_out"] == [{"what": "ft", "why": "why", "damaged": damaged}]
    assert Path(found["index"]).stat().st_size == found["bytes"]
    assert all(Path(path).is_file() for path in found["figures"])
    assert {Path(path).suffix for path in found["figures"]} == {".svg", ".png"}
    assert list(found["not_drawn"]) == ["curves"]
    accuracy = measurements.finetuned()["test_acc"]
    assert found["test_acc"] == {
        "n": 24,
        "mean": pytest.approx(float(accuracy.mean())),
        "std": pytest.approx(float(accuracy.std())),
    }
    assert set(found["findings"].values()) <= {"holds", "does not hold", "cannot be tested"}


def test_hostile_names_are_no_paths(
    zoo: Zoo, plain: Path, measurements: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(monkeypatch, measurements, zoo.path)
    assert isinstance(done.exception, InputError) and "--out" in str(done.exception)
    done = run(monkeypatch, measurements, plain, "--out", plain / "finetuning" / "report")
    assert isinstance(done.exception, InputError) and "within the zoo" in str(done.exception)


def test_importing_the_command_imports_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'matplotlib', 'torch', 'scipy', 'sklearn', 'duckdb'}"
    code = f"import sys, vitzoo.cli.report; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
