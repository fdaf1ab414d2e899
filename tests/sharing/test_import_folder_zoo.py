"""Folders of timm and Hugging Face become zoos by the command, and their models give the same logits."""

import json

import pytest
import torch
from folder_trees import VIT, huggingface_tree, save_huggingface, timm_tree
from torch import nn

import vitzoo
from vitzoo.cli.main import main
from vitzoo.zoo.verification import verify

IMAGES = torch.randn(16, 3, VIT["image"], VIT["image"], generator=torch.Generator().manual_seed(0))


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        out = model(IMAGES)
    return getattr(out, "logits", out)


def with_eps(model, eps: float):
    for layer in model.modules():
        if isinstance(layer, nn.LayerNorm):
            layer.eps = eps
    return model


@pytest.fixture(scope="module")
def timm_zoo(tmp_path_factory):
    root = tmp_path_factory.mktemp("timm")
    models = timm_tree(root / "models")
    assert main(["import", str(root / "models"), "--zoo", str(root / "zoo"), "--licence", "mit"]) == 0
    return vitzoo.open(root / "zoo"), models


@pytest.fixture(scope="module")
def huggingface_zoo(tmp_path_factory):
    root = tmp_path_factory.mktemp("hf")
    models = huggingface_tree(root / "models")
    assert main(["import", str(root / "models"), "--zoo", str(root / "zoo"), "--licence", "mit"]) == 0
    return vitzoo.open(root / "zoo"), models


def member_of(zoo, key):
    return next(member for member in zoo.members() if member.imported["key"] == key)


def test_timms_models_are_the_same_models_in_the_zoo(timm_zoo):
    zoo, models = timm_zoo
    assert len(zoo.members()) == len(models) == 6
    for key, model in models.items():
        checkpoint = member_of(zoo, key).checkpoint()
        for name, tensor in model.state_dict().items():
            assert torch.equal(checkpoint.state_dict()[name], tensor), name
        assert torch.equal(logits(checkpoint.to_timm()), logits(model))


def test_factors_metrics_and_lineage_are_in_the_catalogue(timm_zoo):
    zoo, _ = timm_zoo
    table = zoo.table().set_index("member")
    row = table.loc["seed2-sgd"]
    assert (row["optimizer"], row["lr"], row["weight_decay"], row["batch_size"]) == ("sgd", 0.003, 0, 128)
    assert (row["dataset"], row["epoch"], row["heads"]) == ("cifar100", 50, VIT["heads"])
    assert row["test_acc"] == pytest.approx(0.805) and row["parent_member"] == "seed2"
    assert list(table[table["stage"] == "pretraining"]["epoch"]) == [90, 90]
    # a parent that is not in the folder is found by the weights, or the member counts as pre-trained
    assert table.loc["seed1-adamw"]["parent_member"] == "seed1"


def test_the_zoos_verify(timm_zoo, huggingface_zoo):
    for zoo, _ in (timm_zoo, huggingface_zoo):
        assert verify(zoo, deep=True).findings == []


def test_hugging_faces_models_are_the_same_but_for_epsilon(huggingface_zoo):
    """With its own ε, every imported model gives transformers' logits; with a zoo's, those of the model at 1e-6."""
    zoo, models = huggingface_zoo
    for key, model in models.items():
        folder, _, checkpoint = key.partition("/checkpoint-")
        member = member_of(zoo, folder)
        imported = member.checkpoint(int(checkpoint) // 500 if checkpoint else None).to_timm()
        torch.testing.assert_close(logits(imported), logits(with_eps(model, 1e-6)), atol=2e-6, rtol=1e-5)
        torch.testing.assert_close(
            logits(with_eps(imported, 1e-12)), logits(with_eps(model, 1e-12)), atol=2e-6, rtol=1e-5
        )
        assert any("ε 1e-12" in note for note in member.imported["notes"])
    tuned = member_of(zoo, "tuned")
    assert tuned.epochs() == [1, 2] and tuned.parent.name == "base"
    assert [line["val_acc"] for line in tuned.curve()] == [0.1, 0.2]


@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_what_a_zoo_exports_comes_back_with_its_lineage(timm_zoo, tmp_path, to):
    """Weights, parents and, by timm's config, the whole recipe; Hugging Face's config has no place for a recipe."""
    zoo, _ = timm_zoo
    assert main(["export", str(zoo.path), "--to", to, "--out", str(tmp_path / "out")]) == 0
    assert main(["import", str(tmp_path / "out"), "--zoo", str(tmp_path / "zoo"), "--licence", "mit"]) == 0
    again = vitzoo.open(tmp_path / "zoo")
    for member in zoo.members():
        twin = again.member(member.name)
        assert twin.checkpoint().sha256 == member.checkpoint().sha256 and twin.epochs() == member.epochs()
        assert (twin.parent and twin.parent.name) == (member.parent and member.parent.name)
        assert twin.recipe["architecture"] == member.recipe["architecture"]
        if to == "timm":
            groups = ("dataset", "hyperparameters")
            assert {g: twin.recipe[g] for g in groups} == {g: member.recipe[g] for g in groups}


def test_a_dry_run_tells_and_writes_nothing(tmp_path, capsys):
    save_huggingface(tmp_path / "models/plain")
    save_huggingface(tmp_path / "models/coarse", layer_norm_eps=1e-5)
    before = sorted(tmp_path.rglob("*"))
    assert main(["import", str(tmp_path / "models"), "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["layout"] == "folder" and sorted(tmp_path.rglob("*")) == before
    text = json.dumps(said, ensure_ascii=False)
    assert "its LayerNorm has ε 1e-05; a zoo computes with 1e-06" in text and "coarse" in text
