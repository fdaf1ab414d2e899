"""`vitzoo import` as a user meets it: what it says, what it makes, its exit codes; and all the ways in."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from folder_trees import augreg_tree, huggingface_tree, timm_tree
from little_grow import vitzoo
from official_tree import write

from vitzoo.sharing.exporting.run import export
from vitzoo.zoo import Zoo, verify


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("published") / "tree").root


def test_a_dry_run_says_what_is_there_and_writes_nothing(tree: Path, cache: Path, tmp_path: Path) -> None:
    before = sorted(tree.rglob("*"))
    said = vitzoo(cache, "import", tree, "--dry-run", "--zoo", tmp_path / "zoo").stdout
    assert said.startswith("Layout official: 6 members (3 of pre-training, 3 fine-tuned), 16 checkpoints, ")
    assert "note: label_smoothing is declared 0.1, took effect as 0.8 (5 members)" in said
    assert "left out: vit_imagenet_pretrained/crashed: it has no checkpoint with weights" in said
    assert "not imported: vit_imagenet_pretrained/link: is a symbolic link, which is not followed" in said
    found = json.loads(vitzoo(cache, "import", tree, "--dry-run", "--json").stdout)
    assert (found["layout"], found["checkpoints"], len(found["members"])) == ("official", 16, 6)
    assert not (tmp_path / "zoo").exists()
    assert sorted(tree.rglob("*")) == before


def test_it_imports_and_says_what_it_left_out(tree: Path, cache: Path, tmp_path: Path) -> None:
    done = vitzoo(cache, "import", tree, "--zoo", tmp_path / "zoo", "--json", code=1)  # a crashed trial has no weights
    found = json.loads(done.stdout)
    assert (found["members"], found["checkpoints"], found["contradicted"]) == (6, 16, [])
    zoo = Zoo.open(tmp_path / "zoo")
    assert (zoo.name, zoo.licence) == ("tree", "CC-BY-4.0")
    assert (zoo.path / "README.md").is_file()
    shown = vitzoo(cache, "show", zoo.path, "sl_ft_SD_6312").stdout
    assert "Imported from vit_cifar100_finetuned/cl_vit_s_16_seed_42_bs_96" in shown
    assert "its config names" in shown
    report = verify(zoo, deep=True)
    assert report.findings == []


def test_reading_configs_by_the_paper_gives_other_factors(tree: Path, cache: Path, tmp_path: Path) -> None:
    vitzoo(cache, "import", tree, "--zoo", tmp_path / "zoo", "--read-as", "paper", code=1)
    rows = Zoo.open(tmp_path / "zoo").rows("task = 'supervised' AND is_last")
    assert {(row["label_smoothing"], row["mixup"], row["cutmix"]) for row in rows} == {(0.1, 0.8, 1.0)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere is no folder. Give the one that holds the models."),
        (["empty"], "is in no layout that can be read"),
        (
            ["tree", "--layout", "oficial"],
            "'oficial' is no layout; use augreg, official, folder. Did you mean 'official'?",
        ),
        (["tree", "--read-as", "me"], "'me' is no reading of a config; use released or paper."),
        (["tree", "--table", "x.csv"], "Members of this layout have their own configs; leave out the table x.csv."),
        (["tree"], "Say where the zoo shall be: --zoo DIR."),
        (["tree", "--dataset", "cifr100", "--dry-run"], "'cifr100' is no data set"),
    ],
)
def test_what_cannot_be_is_refused(
    tree: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "tree").symlink_to(tree)
    assert said in vitzoo(cache, "import", *words, code=3).stderr


def test_a_zoo_is_not_imported(grown: Path, cache: Path) -> None:
    assert "is a zoo already" in vitzoo(cache, "import", grown, "--dry-run", code=3).stderr


def test_timm_s_folders_are_linked_as_they_lie(grown: Path, cache: Path, tmp_path: Path) -> None:
    source = Zoo.open(grown)
    export(source, "timm", tmp_path / "timm", where="head = 'linear'", copy=True)
    words = ("--zoo", tmp_path / "zoo", "--in-place", "--dataset", "digits", "--json")
    found = json.loads(vitzoo(cache, "import", tmp_path / "timm", *words).stdout)
    assert found["as_they_lie"] == found["members"] == source.count("head = 'linear' AND is_last")
    zoo = Zoo.open(tmp_path / "zoo")
    for member in zoo.members():
        original = tmp_path / "timm" / member.name / "model.safetensors"
        assert original.samefile(member.checkpoint().path / "model.safetensors")
        assert member.checkpoint().sha256 == source.member(member.name).checkpoint().sha256
    assert verify(zoo, deep=True).findings == []


@pytest.mark.parametrize("form", ["timm", "huggingface"])
def test_what_is_imported_is_measured_as_where_it_grew(grown: Path, cache: Path, tmp_path: Path, form: str) -> None:
    source = Zoo.open(grown)
    export(source, form, tmp_path / form, where="head = 'linear' AND task = 'supervised'")
    vitzoo(cache, "import", tmp_path / form, "--zoo", tmp_path / "zoo", "--dataset", "digits")
    zoo = Zoo.open(tmp_path / "zoo")
    for member in zoo.members():
        assert member.checkpoint().sha256 == source.member(member.name).checkpoint().sha256
    table = json.loads(vitzoo(cache, "measure", zoo.path, "--json").stdout)
    measured = {row["member"]: row["test_acc"] for row in table["members"]}
    assert set(measured) == {member.name for member in zoo.members()}
    if form == "timm":  # its config says of which images; transformers' has no place for that
        known = {row["member"]: row["test_acc"] for row in source.rows("is_last")}
        assert measured == pytest.approx({name: known[name] for name in measured})


def test_timm_s_folder_with_a_table(cache: Path, tmp_path: Path) -> None:
    models = timm_tree(tmp_path / "tree")
    vitzoo(cache, "import", tmp_path / "tree", "--zoo", tmp_path / "zoo")
    zoo = Zoo.open(tmp_path / "zoo")
    assert verify(zoo, deep=True).findings == []
    members = {member.imported["key"]: member for member in zoo.members()}
    assert set(members) == set(models)
    for key, model in models.items():
        found = members[key].checkpoint().state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())
    child = members["ft/seed1-sgd"]
    assert (child.parent, child.recipe["hyperparameters"]["lr"]) == (members["pre/seed1"], 0.003)
    assert child.recipe["dataset"]["source"] == "cifar100"
    assert child.checkpoint().metrics["test_acc"] == 0.805
    # one whose parent the table calls by a name that is not here: its weights know it
    assert members["ft/seed2-adamw"].parent == members["pre/seed2"]


def test_hugging_face_s_folder_with_checkpoints(cache: Path, tmp_path: Path) -> None:
    models = huggingface_tree(tmp_path / "tree")
    vitzoo(cache, "import", tmp_path / "tree", "--zoo", tmp_path / "zoo")
    zoo = Zoo.open(tmp_path / "zoo")
    assert verify(zoo, deep=True).findings == []
    members = {member.imported["key"]: member for member in zoo.members()}
    assert set(members) == {"base", "tuned"}
    assert members["tuned"].epochs() == [1, 2]
    assert members["tuned"].parent == members["base"]
    model = members["tuned"].checkpoint(2).to_timm()
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = models["tuned/checkpoint-1000"](pixel_values=images).logits
        assert torch.allclose(model(images), expected, atol=1e-4)


def test_augreg_s_index(cache: Path, tmp_path: Path) -> None:
    arrays = augreg_tree(tmp_path / "tree")
    done = json.loads(vitzoo(cache, "import", tmp_path / "tree", "--zoo", tmp_path / "zoo", "--json", code=1).stdout)
    assert any("R26" in place["key"] + place["reason"] for place in done["left_out"])  # a hybrid is no ViT of ours
    zoo = Zoo.open(tmp_path / "zoo")
    assert verify(zoo, deep=True).findings == []
    children = zoo.members("finetuning")
    assert len(children) == 2
    assert {child.parent.name for child in children if child.parent} == {zoo.members("pretraining")[0].name}
    norm = children[0].checkpoint().tensors(["norm.weight"])["norm.weight"]
    assert any(np.array_equal(norm, one["Transformer/encoder_norm/scale"]) for one in arrays.values())
