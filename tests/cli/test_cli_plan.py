"""`vitzoo plan` and the entry point: exact JSON, readable text, exit codes, and no heavy import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vitzoo.cli.main import main

HEAVY = {"torch", "timm", "torchvision", "pandas", "matplotlib", "numpy", "scipy", "pyarrow", "duckdb", "sklearn"}


def test_plan_paper_prints_the_papers_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "paper"]) == 0
    text = capsys.readouterr().out
    for part in (
        "22,050,664",
        "21,704,164",
        "21,789,924",
        "AdamW, SGD (momentum 0.99)",
        "1.06 TB",
        "12,240",
        "GFLOP/s",
    ):
        assert part in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_plan_json_is_exact_and_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "paper", "--json", "--gflops", "1e6"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert err == ""
    assert result["stages"]["pretraining"]["members"] == 10
    assert result["stages"]["finetuning"]["members"] == 240
    assert [row["parameters"] for row in result["architectures"]] == [22_050_664, 21_704_164, 21_789_924]
    assert result["rate"] == 1e15
    assert result["total"]["seconds"] == pytest.approx(result["total"]["flop"] / 1e15)


def test_plan_takes_overrides(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--set", "finetuning.hyperparameters.epochs=2", "--set", "pretraining.checkpoints.initial=false"]
    assert main(["plan", "nano", "--json", *arguments]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert stages["finetuning"]["checkpoints"] == 240 * 3


def test_errors_are_one_line_on_stderr(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"\xff\xfe")
    for arguments in (["plan", "papr"], ["plan", str(bad)], ["plan", "nano", "--json", "--set", "x=1"]):
        assert main(arguments) == 3
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1


def test_usage_errors_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan"]) == 2
    assert main(["plam", "nano"]) == 2
    assert main(["plan", "nano", "--gflops", "many"]) == 2
    assert capsys.readouterr().out == ""


def test_interruption_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitzoo.growing.plan.make_plan", interrupt)
    assert main(["plan", "nano"]) == 130


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("vitzoo ")


def test_planning_imports_nothing_heavy() -> None:
    code = "import sys; from vitzoo.cli.main import main; main(['plan', 'nano', '--json']); "
    code += "print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stderr.split())


def test_a_closed_pipe_is_quiet() -> None:
    command = [sys.executable, "-c", "from vitzoo.cli.main import run; run()", "plan", "paper"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
