"""``vitzoo tables``: what it prints and writes, in every format, and its exit codes. Measuring itself is faked."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from fake_measurements import make_measurements

from vitzoo.analysis.tables import build
from vitzoo.analysis.tables.render import to_csv, to_json, to_latex, to_markdown
from vitzoo.cli import measuring
from vitzoo.cli.tables import tables
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements
from vitzoo.measures.selection import LeftOut

WHERE = "test_acc > 0.65"
STEMS = ["table1", "table1-refined", "table2", "table2-refined", "table6", "table7", "table8"]


@pytest.fixture
def m(monkeypatch: pytest.MonkeyPatch) -> Measurements:
    """Measurements that any zoo seems to have, with nothing left out."""
    found = replace(make_measurements(), left_out=())
    monkeypatch.setattr(measuring.Request, "measurements", lambda self: found)
    return found


def run(*arguments: str) -> int:
    """Run the command and return its exit code; errors are raised."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(tables)
    with pytest.raises(SystemExit) as end:
        app(["zoo", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def test_markdown_is_the_default(m: Measurements, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--refine", WHERE) == 0
    assert capsys.readouterr().out == "\n".join(to_markdown(one) for one in build(m, WHERE))


def test_some_tables_as_latex(m: Measurements, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--table", "7", "--table", "1", "--format", "latex") == 0
    assert capsys.readouterr().out == "\n".join(to_latex(one) for one in build(m, numbers=["1", "7"]))


def test_csv_tables_are_parted_by_an_empty_line(m: Measurements, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--format", "csv") == 0
    parts = capsys.readouterr().out.split("\n\n")
    assert len(parts) == 5
    for part, one in zip(parts, build(m), strict=True):
        assert list(csv.reader(io.StringIO(part))) == list(csv.reader(io.StringIO(to_csv(one))))


@pytest.mark.parametrize("arguments", [("--json",), ("--format", "json"), ("--json", "--format", "json")])
def test_json(m: Measurements, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert run("--refine", WHERE, *arguments) == 0
    read = json.loads(capsys.readouterr().out)
    assert {name: read[name] for name in ("zoo", "scope", "refine", "left_out")} == {
        **{"zoo": "fake", "scope": "all"},
        **{"refine": WHERE, "left_out": []},
    }
    expected = [to_json(one) for one in build(m, WHERE)]
    assert read["tables"] == [{name: one[name] for name in one if name != "left_out"} for one in expected]


@pytest.mark.parametrize(("form", "suffix"), [("md", "md"), ("csv", "csv"), ("json", "json"), ("latex", "tex")])
def test_files(m: Measurements, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, suffix: str) -> None:
    out = tmp_path / "new" / "tables"
    for _ in range(2):  # the second time they are replaced
        assert run("--refine", WHERE, "--format", form, "--out", str(out)) == 0
        assert capsys.readouterr().out.splitlines() == [str(out / f"{stem}.{suffix}") for stem in STEMS]
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{stem}.{suffix}" for stem in STEMS)
    text = (out / f"table2-refined.{suffix}").read_text(encoding="utf-8")
    table = build(m, WHERE)[3]
    if form == "json":
        read = json.loads(text)
        assert (read["zoo"], read["scope"], read["table"], read["variant"]) == ("fake", "all", "2", "refined")
        assert read["rows"] == to_json(table)["rows"]
    else:
        assert text == {"md": to_markdown, "csv": to_csv, "latex": to_latex}[form](table)


@pytest.mark.parametrize(("damaged", "code"), [(False, 1), (True, 4)])
def test_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damaged: bool, code: int
) -> None:
    out = tuple(LeftOut(f"member-{i}", "it is not finished: epoch 1 of 5", damaged) for i in range(5))
    found = replace(make_measurements(), left_out=out)
    monkeypatch.setattr(measuring.Request, "measurements", lambda self: found)
    assert run("--table", "7") == code
    assert "* Left out, 5 in all: member-0: it is not finished: epoch 1 of 5; " in capsys.readouterr().out
    assert run("--table", "7", "--json") == code
    read = json.loads(capsys.readouterr().out)
    assert [one["what"] for one in read["left_out"]] == [f"member-{i}" for i in range(5)]
    assert read["left_out"][0]["damaged"] is damaged


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--table", "3"), "'3' is no table of the analysis; the tables are 1, 2, 6, 7, 8"),
        (("--table", "6", "--refine", WHERE), "Only Tables 1 and 2 can be refined"),
        (("--json", "--format", "csv"), "--json and --format csv ask for two formats"),
    ],
)
def test_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setattr(measuring.Request, "measurements", lambda self: pytest.fail("measured"))
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(tables)
    with pytest.raises(InputError, match=message):
        app(["zoo", *arguments], standalone_mode=False)


def test_unknown_format_is_a_usage_error(m: Measurements) -> None:
    assert run("--format", "pdf") == 2


def test_the_module_is_instant() -> None:
    heavy = "{'numpy', 'pandas', 'torch', 'duckdb', 'scipy'}"
    code = f"import sys, vitzoo.cli.tables; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
