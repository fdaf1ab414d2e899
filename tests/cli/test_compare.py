"""compare, similarity and curvature end to end, on a zoo grown for the test."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from little_grow import FIXED, TEXT, vitzoo

from vitzoo.cli.main import main
from vitzoo.zoo import Zoo

Run = Callable[..., dict]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Zoo:
    folder = tmp_path_factory.mktemp("grown")
    (folder / "little.yaml").write_text(TEXT)
    vitzoo(cache, "grow", folder / "little.yaml", "--zoo", folder / "zoo", *FIXED, "--workers", "1")
    return Zoo.open(folder / "zoo")


@pytest.fixture
def run(zoo: Zoo, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("VITZOO_CACHE", str(cache))

    def call(command: str, *words: str, code: int = 0) -> dict:
        assert main([command, str(zoo.path), *words]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if "--json" in words else {"out": out, "err": err}

    return call


def siblings(zoo: Zoo) -> list[str]:
    """Two fine-tuned members of the supervised backbone with linear heads."""
    rows = zoo.rows("is_last AND parent_task = 'supervised' AND head = 'linear'")
    return [row["member"] for row in rows]


def test_compare_siblings(zoo: Zoo, run: Run) -> None:
    a, b = siblings(zoo)
    found = run("compare", a, b, "--json")
    assert found["missing"] == [] and found["distance"] > 0 and 0 <= found["agreement"] <= 1
    line = found["connection"]
    assert line["loss"][0] == pytest.approx(zoo.member(a).checkpoint().metrics["test_loss"], rel=1e-4)
    assert line["loss"][-1] == pytest.approx(zoo.member(b).checkpoint().metrics["test_loss"], rel=1e-4)
    assert list(found["similarity"]) == ["blocks.0", "norm"]
    text = run("compare", a, b)["out"]
    assert "loss barrier" in text and "CKA, norm" in text


def test_compare_what_cannot_be_compared(zoo: Zoo, run: Run) -> None:
    contrastive = next(row["member"] for row in zoo.rows("is_last AND task = 'contrastive'"))
    found = run("compare", siblings(zoo)[0], contrastive, "--json")
    assert found["connection"] is None and found["agreement"] is None and found["distance"] > 0
    assert any("contrastive" in text for text in found["missing"])
    assert "itself" in run("compare", contrastive, contrastive, code=3)["err"]


def test_similarity(zoo: Zoo, run: Run) -> None:
    found = run("similarity", "--where", "stage = 'finetuning'", "--images", "32", "--json")
    assert len(found["rows"]) == 8 * 2 and found["matrix"][0][0] == pytest.approx(1)
    text = run("similarity", "--images", "32", "--layer", "norm")["out"]
    assert "CKA at norm" in text
    assert "No member has features at 'blocks.7'" in run("similarity", "--layer", "blocks.7", code=3)["err"]


def test_curvature(zoo: Zoo, run: Run) -> None:
    where = f"member = '{siblings(zoo)[0]}'"
    found = run("curvature", "--where", where, "--images", "32", "--probes", "3", "--json")
    (one,) = found["found"]
    assert one["eigenvalues"][0] > 0 and one["trace_error"] > 0
    assert "top eigenvalue" in run("curvature", "--where", where, "--images", "32", "--probes", "3")["out"]
