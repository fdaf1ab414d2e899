"""merge models end to end, and that nothing else that reads the zoo is led astray by a merged member."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from little_grow import FIXED, TEXT, hashes, vitzoo

from vitzoo.cli.main import main
from vitzoo.merging.methods import METHODS
from vitzoo.zoo import Zoo

Run = Callable[..., str]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grown")
    (folder / "little.yaml").write_text(TEXT)
    vitzoo(folder / "cache", "grow", folder / "little.yaml", "--zoo", folder / "zoo", *FIXED, "--workers", "1")
    return folder


@pytest.fixture
def zoo(grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    monkeypatch.setenv("VITZOO_CACHE", str(grown / "cache"))
    return Zoo.open(shutil.copytree(grown / "zoo", tmp_path / "zoo"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path, code: int = 0) -> str:
        assert main([*map(str, words)]) == code
        out, err = capsys.readouterr()
        return out if code in (0, 1) else err

    return call


def linear(zoo: Zoo) -> list[str]:
    """Two members of one lineage."""
    return [
        member.name
        for member in zoo.members("pretraining")[0].children()
        if member.recipe["architecture"]["head"]["kind"] == "linear"
    ]


def soup(zoo: Zoo, run: Run, *more: str) -> str:
    named = [word for name in linear(zoo) for word in ("--member", name)]
    return run("merge", "models", zoo.path, "--method", "uniform", *named, *more)


def test_what_is_printed(zoo: Zoo, run: Run) -> None:
    text = soup(zoo, run)
    assert "uniform of 2 models." in text and "mean of the models" in text and "best of the models" in text
    assert all(name in text for name in linear(zoo)) and "Saved" not in text
    assert not (zoo.path / "merging").exists()
    text = run("merge", "models", zoo.path, "--method", "last", "--member", linear(zoo)[0], "--set", "k=2", "--save")
    assert "last (k 2) of 2 models." in text and "Saved as merge_last_2-" in text


def test_all_numbers_as_json(zoo: Zoo, run: Run) -> None:
    data = json.loads(soup(zoo, run, "--name", "soup", "--json"))
    assert data["member"] == "soup" and data["method"] == "uniform"
    accuracies = [one["accuracy"] for one in data["ingredients"]]
    assert data["ingredients_mean_acc"] == pytest.approx(sum(accuracies) / 2)
    assert data["ingredients_best_acc"] == max(accuracies)
    (row,) = Zoo.open(zoo.path).rows("stage = 'merging'")
    assert row["test_acc"] == data["test_acc"] and row["test_loss"] == data["test_loss"]
    again = json.loads(soup(zoo, run, "--name", "soup", "--json"))
    assert again == data


def test_methods_are_listed(zoo: Zoo, run: Run) -> None:
    text = run("merge", "models", zoo.path, "--method", "list")
    for name, method in METHODS.items():
        assert f"{name}: {method.what}" in text
        assert all(f"{key}=" in text for key in method.settings)


def test_what_cannot_be_asked_for(zoo: Zoo, run: Run) -> None:
    call = ("merge", "models", zoo.path, "--method")
    assert "Did you mean 'greedy'" in run(*call, "gredy", "--where", "lr > 0", code=3)
    assert "Say what is to be merged" in run(*call, "uniform", code=3)
    assert "sets nothing" in run(*call, "ema", "--where", "lr > 0", "--set", "decay", code=3)
    assert "cannot be the name" in run(*call, "uniform", "--where", "lr > 0", "--name", "a/b", code=3)
    assert "cannot be merged, because they differ" in run(*call, "uniform", "--where", "stage = 'finetuning'", code=3)


def test_other_commands_tell_of_it(zoo: Zoo, run: Run) -> None:
    soup(zoo, run, "--name", "soup")
    assert "11 members (10 finished, 1 merged)" in run("ls", zoo.path)
    assert "merging" in run("ls", zoo.path, "--columns", "stage,member,method", "--where", "method = 'uniform'")
    text = run("show", zoo.path, "soup")
    assert "merged by uniform from 2:" in text and all(name in text for name in linear(zoo)) and "share 0.5" in text
    assert "merged into soup" in run("show", zoo.path, linear(zoo)[0])
    assert json.loads(run("show", zoo.path, "soup", "--json"))["merge"]["method"] == "uniform"
    assert "No problem was found in 11 members" in run("verify", zoo.path, "--deep")
    text = run("lineage", "show", zoo.path)
    assert f"soup, merged from {', '.join(sorted(linear(zoo)))}" in text and text.count("soup") == 1
    graph = json.loads(run("lineage", "show", zoo.path, "--json", "--base-models", zoo.path.parent / "b.json"))
    assert sum(edge["kind"] == "merged" for edge in graph["edges"]) == 4
    assert {"model": "soup", "base_model": linear(zoo), "base_model_relation": "merge"} in json.loads(
        (zoo.path.parent / "b.json").read_text()
    )
    measured = json.loads(run("measure", zoo.path, "--json"))
    assert sum(row["stage"] == "merging" for row in measured["members"]) == 1 and len(measured["members"]) == 11
    assert "loss from a to b" in run("compare", zoo.path, "soup", linear(zoo)[0])


COMMANDS = [
    (("tables",), ("--json",)),
    (("findings",), ("--json",)),
    (("lineage", "check"), ("--json",)),
    (("lineage", "benchmark"), ("--sets", "last,mixed", "--methods", "spider", "--json")),
]


def test_tables_findings_and_lineage_are_those_of_what_was_grown(zoo: Zoo, run: Run) -> None:
    def all_of_them() -> list[str]:
        return [run(*command, zoo.path, *options) for command, options in COMMANDS]

    before = all_of_them()
    soup(zoo, run, "--save")
    assert all_of_them() == before


def test_the_report_draws_what_was_grown(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    def drawn(name: str) -> dict[str, bytes]:
        data = json.loads(run("report", zoo.path, "--out", tmp_path / name, "--json"))
        assert data["members"] == {"pretraining": 2, "finetuning": 8}
        return {path.name: path.read_bytes() for path in (tmp_path / name / "figures").glob("*.svg")}

    before = drawn("before")
    soup(zoo, run, "--name", "soup")
    assert drawn("after") == before
    assert "1 merged" in (tmp_path / "after" / "index.html").read_text()


def test_growing_again_changes_nothing(zoo: Zoo, run: Run, grown: Path) -> None:
    soup(zoo, run, "--name", "soup")
    shutil.rmtree(zoo.members("finetuning")[0].path)  # something is to be done
    kept = {path: digest for path, digest in hashes(zoo.path).items() if "merging" in path}
    assert len(kept) == 1
    vitzoo(grown / "cache", "grow", grown / "little.yaml", "--zoo", zoo.path, *FIXED, "--workers", "1")
    assert kept.items() <= hashes(zoo.path).items()
    assert "No problem was found in 11 members" in run("verify", zoo.path, "--deep")
    vitzoo(grown / "cache", "grow", grown / "little.yaml", "--zoo", zoo.path, *FIXED, "--workers", "1")
