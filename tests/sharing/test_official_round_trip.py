"""Import → export → import, and grown → export → import, lose nothing: trees and digests are the same."""

from pathlib import Path

import numpy as np
import pytest
import torch
from official_tree import Tree, write

from vitzoo.errors import InputError
from vitzoo.sharing.exporting.run import export
from vitzoo.sharing.importing.adding import Imported
from vitzoo.sharing.importing.layouts import official
from vitzoo.sharing.importing.run import Wishes, run
from vitzoo.zoo import Zoo, verify

DERIVED = ("catalogue.parquet", "README.md")


def contents(zoo: Path) -> dict[str, bytes]:
    return {
        path.relative_to(zoo).as_posix(): path.read_bytes()
        for path in sorted(zoo.rglob("*"))
        if path.is_file() and path.name not in DERIVED and "measures" not in path.parts
    }


def there_and_back(zoo: Zoo, place: Path, epochs: object = "all") -> Imported:
    export(zoo, "official", place / "tree", epochs=epochs)
    return run(official.survey(place / "tree"), place / "back", Wishes(workers=1))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    place = tmp_path_factory.mktemp("round")
    tree: Tree = write(place / "tree")
    return run(official.survey(tree.root), place / "zoo", Wishes("released", "CC-BY-4.0", workers=1)).zoo


def test_an_imported_zoo_comes_back_byte_for_byte(first: Zoo, tmp_path: Path) -> None:
    back = there_and_back(first, tmp_path)
    assert contents(back.zoo.path) == contents(first.path)
    assert back.left_out == []
    assert verify(back.zoo, deep=True).findings == []


def test_published_keys_are_as_they_were(first: Zoo, tmp_path: Path) -> None:
    import json

    export(first, "official", tmp_path / "tree", epochs="all")
    for member in first.members():
        parent = member.config["parent"]
        folder = tmp_path / "tree" / member.stage / (parent["member"] if parent else "") / member.name
        config = json.loads((folder / "config.json").read_text())
        assert {k: v for k, v in config.items() if not k.startswith("vitzoo::")} == member.imported["declared"]
        for checkpoint in member.checkpoints():
            state = torch.load(folder / checkpoint.path.name / "checkpoints", weights_only=True)
            assert all(np.array_equal(state[f"vit.{n}"].numpy(), array) for n, array in checkpoint.tensors().items())


def test_a_grown_zoo_comes_back_byte_for_byte(grown: Path, tmp_path: Path) -> None:
    back = there_and_back(Zoo.open(grown), tmp_path)
    assert contents(back.zoo.path) == contents(grown)


def test_some_checkpoints_come_back_as_what_they_are(grown: Path, tmp_path: Path) -> None:
    zoo = Zoo.open(grown)
    back = there_and_back(zoo, tmp_path, "last").zoo
    assert verify(back, deep=True).findings == []
    assert {m.name: m.epochs() for m in back.members()} == {m.name: m.epochs()[-1:] for m in zoo.members()}
    assert {m.status for m in back.members()} == {"finished"}
    for member in back.members():
        assert member.recipe == zoo.member(member.name).recipe
        assert member.checkpoint().sha256 == zoo.member(member.name).checkpoint().sha256
        assert (member.parent and member.parent.name) == (
            zoo.member(member.name).parent and zoo.member(member.name).parent.name
        )


def test_weights_that_changed_on_the_way_are_left_out(first: Zoo, tmp_path: Path) -> None:
    export(first, "official", tmp_path / "tree", epochs="all")
    file = next((tmp_path / "tree" / "pretraining").rglob("checkpoints"))
    state = torch.load(file, weights_only=True)
    state["vit.norm.bias"][0] += 1
    torch.save(state, file)
    back = run(official.survey(tmp_path / "tree"), tmp_path / "back", Wishes("x", "y", workers=1))
    assert any("has other weights than were exported" in place.reason for place in back.left_out)


def test_an_export_without_parents_is_not_imported_as_children(first: Zoo, tmp_path: Path) -> None:
    export(first, "official", tmp_path / "tree", where="stage = 'finetuning'", epochs="all")
    back = run(official.survey(tmp_path / "tree"), tmp_path / "back", Wishes("x", "y", workers=1))
    assert back.members == 0
    assert all("did not come along" in place.reason for place in back.left_out)


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pretraining").mkdir()
    with pytest.raises(InputError, match="holds no model that can be imported"):
        run(official.survey(tmp_path), tmp_path / "zoo", Wishes("x", "y"))
