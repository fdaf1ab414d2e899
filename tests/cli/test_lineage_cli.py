"""lineage show, check, recover and benchmark end to end, on a zoo grown for the test."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import networkx
import pytest
from little_grow import FIXED, TEXT, vitzoo

from vitzoo.cli.main import main
from vitzoo.lineage.recover import BLIND
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import WEIGHTS

Run = Callable[..., dict]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    folder = tmp_path_factory.mktemp("grown")
    (folder / "little.yaml").write_text(TEXT)
    vitzoo(folder / "cache", "grow", folder / "little.yaml", "--zoo", folder / "zoo", *FIXED, "--workers", "1")
    return Zoo.open(folder / "zoo")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str | Path, code: int = 0) -> dict:
        assert main(["lineage", *map(str, words)]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if "--json" in words else {"out": out, "err": err}

    return call


def test_show_and_its_exports(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    text = run("show", zoo.path)["out"]
    assert "10 members with 30 checkpoints" in text
    assert text.count("├─ ft_") + text.count("└─ ft_") == 8
    data = run("show", zoo.path, "--json", "--graphml", tmp_path / "g.graphml", "--base-models", tmp_path / "b.json")
    graph = zoo.lineage()
    again = networkx.node_link_graph(data, edges="edges", name="name")
    assert networkx.utils.graphs_equal(again, graph)
    assert set(networkx.read_graphml(tmp_path / "g.graphml").edges) == set(graph.edges)
    said = {one["model"]: one["base_model"] for one in json.loads((tmp_path / "b.json").read_text())}
    assert said == {member.name: member.parent.name for member in zoo.members("finetuning") if member.parent}
    assert "cannot be written" in run("show", zoo.path, "--graphml", tmp_path / "no" / "g.graphml", code=3)["err"]


def test_check_finds_a_record_that_names_another_parent(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    verdicts = run("check", zoo.path, "--json")
    assert len(verdicts) == 8 and all(one["holds"] for one in verdicts)
    assert "8 of 8 members are nearest" in run("check", zoo.path)["out"]
    shutil.copytree(zoo.path, tmp_path / "zoo")
    a, b = (Zoo.open(tmp_path / "zoo").member(m.name).checkpoint().path / WEIGHTS for m in zoo.members("pretraining"))
    one, other = a.read_bytes(), b.read_bytes()
    for path in (a, b):
        path.unlink()  # it may be a hard link
    a.write_bytes(_backbone_of(tmp_path, other, one))
    b.write_bytes(_backbone_of(tmp_path, one, other))
    verdicts = run("check", tmp_path / "zoo", "--json", code=4)
    assert not any(one["holds"] for one in verdicts)
    assert all(one["distance_nearest"] < one["distance_recorded"] for one in verdicts)
    assert "0 of 8 members" in run("check", tmp_path / "zoo", code=4)["out"]


def _backbone_of(folder: Path, bytes_: bytes, head_of: bytes) -> bytes:
    """Return a file with the backbone of one model and the head of another, since the heads' shapes differ."""
    from safetensors.numpy import load, save

    return save({**load(bytes_), **{name: x for name, x in load(head_of).items() if name.startswith("head.")}})


def test_recover_from_a_zoo_and_from_a_folder(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    where = "is_last OR (stage = 'finetuning' AND epoch > 0)"
    found = {one["model"]: one["parent"] for one in run("recover", zoo.path, "--where", where, "--json")}
    recorded = {f"{m.name}@3": f"{m.parent.name}@2" for m in zoo.members("finetuning") if m.parent}
    trees = networkx.DiGraph([(p, c) for c, p in found.items() if p])
    for child, parent in recorded.items():
        assert parent in networkx.ancestors(trees, child) | {parent}
    for i, row in enumerate(zoo.rows("is_last")):
        place = tmp_path / f"model{i}"
        place.mkdir()
        shutil.copy(zoo.path / row["path"] / WEIGHTS, place / "model.safetensors")
    text = run("recover", tmp_path, "--graphml", tmp_path / "g.graphml")["out"]
    assert "10 models in " in text and "model0/model.safetensors" in text
    assert len(networkx.read_graphml(tmp_path / "g.graphml")) == 10


def test_benchmark(zoo: Zoo, run: Run) -> None:
    lines = run("benchmark", zoo.path, "--sets", "epochs,last", "--json")
    assert len(lines) == 2 * (len(BLIND) + 1)
    star = next(line for line in lines if line["method"] == "known star" and line["sample"] == "last")
    assert star["star"]["f1"] == star["trajectory"]["f1"] == 1
    nothing = next(line for line in lines if line["method"] == "nothing" and line["sample"] == "last")
    assert nothing["trajectory"]["f1"] == 0 and nothing["trajectory"]["accuracy"] == 1 - 8 / 10**2
    assert "MoTHer" in run("benchmark", zoo.path, "--sets", "epochs")["out"]


def test_wrong_words_are_named(zoo: Zoo, run: Run, tmp_path: Path) -> None:
    assert "Did you mean" in run("benchmark", zoo.path, "--sets", "epoch", code=3)["err"]
    assert "no method" in run("recover", zoo.path, "--method", "oracle", code=3)["err"]
    assert "no safetensors files" in run("recover", tmp_path, code=3)["err"]
    assert "no checkpoint where" in run("recover", zoo.path, "--where", "epoch = 77", code=3)["err"]


def test_a_method_that_looks_at_images(zoo: Zoo, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path))
    words = ("benchmark", zoo.path, "--sets", "last", "--methods", "linearised")
    (line, _) = run(*words, "--images", "16", "--json")
    assert line["method"] == "linearised" and 0 <= line["trajectory"]["f1"] <= 1
    assert "--images" in run(*words, code=3)["err"]
