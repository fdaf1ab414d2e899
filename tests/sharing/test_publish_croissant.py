"""The Croissant metadata of a published zoo, held to its reference reader."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from exportable import populate
from publishable import OTHERS_WARNINGS, contents, dry_run

from vitzoo.sharing.publishing.columns import meaning
from vitzoo.zoo import Zoo

# Its readers, rdflib and pandas, warn of themselves.
pytestmark = pytest.mark.filterwarnings(*OTHERS_WARNINGS)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return populate(tmp_path_factory.mktemp("croissant") / "zoo")


@pytest.fixture(scope="module")
def place(zoo: Zoo) -> Path:
    """What is published of it, which nobody opens as a zoo: its catalogue stays the one that is described."""
    dry_run(zoo, zoo.path.parent / "out")
    return zoo.path.parent / "out" / "dataset"


@pytest.fixture
def dataset(place: Path) -> Any:
    mlc = pytest.importorskip("mlcroissant")
    return mlc.Dataset(place / "croissant.json", mapping={"catalogue.parquet": place / "catalogue.parquet"})


def test_the_reader_has_nothing_against_it(dataset: Any, caplog: pytest.LogCaptureFixture) -> None:
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert dataset.metadata.ctx.is_v1_1()
    assert dataset.metadata.to_json()["conformsTo"] == "http://mlcommons.org/croissant/1.1"


def test_its_records_are_the_catalogue(dataset: Any, zoo: Zoo) -> None:
    rows = zoo.rows()
    found = list(dataset.records("catalogue"))
    assert len(found) == len(rows) == 18
    for record, row in zip(found, rows, strict=True):
        assert record.keys() == {f"catalogue/{name}" for name in row}
        for name, value in row.items():
            read = record[f"catalogue/{name}"]
            assert (read.decode() if isinstance(read, bytes) else read) == value, name


def test_what_the_specification_requires(place: Path) -> None:
    found = json.loads((place / "croissant.json").read_text())
    for key in ("@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished"):
        assert found[key]
    files = {file["@id"]: file for file in found["distribution"] if file["@type"] == "cr:FileObject"}
    there = contents(place)
    for name, file in files.items():
        assert file["sha256"] == hashlib.sha256(there[name]).hexdigest()
        assert file["contentSize"] == f"{len(there[name])} B"
        assert file["contentUrl"] == f"https://huggingface.co/datasets/me/little/resolve/main/{name}"
    assert files.keys() == {"zoo.json", "blueprint.yaml", "catalogue.parquet"}
    key = [part["@id"] for part in found["recordSet"][0]["key"]]
    assert key == ["catalogue/member", "catalogue/epoch"]


def test_the_set_of_weights_is_all_of_them(dataset: Any, place: Path) -> None:
    from etils import epath
    from mlcroissant._src.core.path import Path as Found
    from mlcroissant._src.operation_graph.operations.filter import FilterFiles

    (choose,) = (one for one in dataset.operations.operations.nodes if isinstance(one, FilterFiles))
    chosen = choose.call(Found(filepath=epath.Path(place), fullpath=place))
    assert {str(path.fullpath) for path in chosen} == {n for n in contents(place) if n.endswith(".safetensors")}


def test_every_column_has_a_meaning_of_its_own(place: Path) -> None:
    fields = json.loads((place / "croissant.json").read_text())["recordSet"][0]["field"]
    for field in fields:
        assert field["description"] == meaning(field["name"])
        assert not field["description"].endswith("gives it."), field["name"]  # the words for what is not known
    types = {field["name"]: (field["dataType"], field.get("arrayShape")) for field in fields}
    assert types["is_last"] == ("sc:Boolean", None)
    assert types["epoch"] == ("sc:Integer", None)
    assert types["test_acc"] == ("sc:Float", None)
    assert types["betas"] == ("sc:Float", "-1")
    assert types["member"] == ("sc:Text", None)
