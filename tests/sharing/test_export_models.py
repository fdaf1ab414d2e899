"""Exported models, opened by stock timm and by transformers, compute what the zoo's own members compute."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from exportable import MEAN, STD, backbone, config, empty, grow, populate, tensors
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer
from transformers import AutoModelForImageClassification, ViTForImageClassification, ViTModel

from vitzoo.sharing.exporting.classes import labels
from vitzoo.sharing.exporting.run import Result, export
from vitzoo.zoo import Zoo, merge

NAMES = [f"{kind}-{task}" for kind in ("pre", "ft-linear", "ft-mlp") for task in ("supervised", "contrastive")]
EXACT = {"rtol": 0, "atol": 1e-12}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return populate(tmp_path_factory.mktemp("grown") / "zoo")


@pytest.fixture(scope="module")
def to_timm(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return export(zoo, "timm", tmp_path_factory.mktemp("timm") / "out")


@pytest.fixture(scope="module")
def to_huggingface(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return export(zoo, "huggingface", tmp_path_factory.mktemp("huggingface") / "out")


@pytest.fixture
def images() -> torch.Tensor:
    """Normalised as the members' images are, in float64."""
    pixels = torch.rand(5, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@pytest.fixture
def in_folder() -> Iterator[Any]:
    """Run the Python of a README in its folder, as its reader would."""
    before = Path.cwd()

    def run(readme: Path, block: int = 0) -> dict[str, Any]:
        code = readme.read_text().split("```python\n")[1 + block].split("```")[0]
        names: dict[str, Any] = {}
        os.chdir(readme.parent)
        exec(compile(code, str(readme), "exec"), names)  # noqa: S102  (the export's own lines, which must run)
        return names

    yield run
    os.chdir(before)


def logits(zoo: Zoo, name: str, images: torch.Tensor) -> torch.Tensor:
    """What the member itself computes."""
    with torch.no_grad():
        return zoo.checkpoint(name).to_timm().double()(images)


@pytest.mark.parametrize("name", NAMES)
def test_stock_timm_computes_the_same_logits(
    zoo: Zoo, to_timm: Result, images: torch.Tensor, in_folder: Any, name: str
) -> None:
    place = to_timm.out / name
    if "mlp" in name:
        alone = timm.create_model(f"local-dir:{place}", pretrained=True)
        assert (alone.num_classes, alone(images.float()).shape) == (0, (5, 12))
        model = in_folder(place / "README.md")["model"]
    else:
        model = timm.create_model(f"local-dir:{place}", pretrained=True)
    assert type(model) is VisionTransformer
    with torch.no_grad():
        found = model.eval().double()(images)
    torch.testing.assert_close(found, logits(zoo, name, images), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_transformers_computes_the_same_logits(
    zoo: Zoo, to_huggingface: Result, images: torch.Tensor, in_folder: Any, name: str
) -> None:
    place = to_huggingface.out / name
    with torch.no_grad():
        if "mlp" in name:
            found = in_folder(place / "README.md")
            found["backbone"].eval().double()
            found["head"].double()
            outputs = found["logits"](images)
        else:
            outputs = ViTForImageClassification.from_pretrained(place).eval().double()(images).logits
    torch.testing.assert_close(outputs, logits(zoo, name, images), **EXACT)


def test_every_tensor_of_a_huggingface_directory_is_used_and_none_is_made_up(to_huggingface: Result) -> None:
    for name in NAMES:
        kind = ViTModel if "mlp" in name else AutoModelForImageClassification
        options = {"add_pooling_layer": False} if "mlp" in name else {}
        _, info = kind.from_pretrained(to_huggingface.out / name, output_loading_info=True, **options)
        assert not any(info.values()), (name, info)


def test_what_a_huggingface_config_says(zoo: Zoo, to_huggingface: Result) -> None:
    linear = ViTForImageClassification.from_pretrained(to_huggingface.out / "ft-linear-supervised").config
    assert linear.id2label == {label: str(label) for label in range(10)}  # the digits
    assert (linear.layer_norm_eps, linear.hidden_act, linear.qkv_bias) == (1e-6, "gelu", True)
    assert (linear.intermediate_size, linear.num_attention_heads, linear.image_size) == (24, 3, 8)
    contrastive = ViTForImageClassification.from_pretrained(to_huggingface.out / "pre-contrastive").config
    assert (contrastive.num_labels, contrastive.id2label[0]) == (6, "LABEL_0")  # outputs, not classes
    raw = json.loads((to_huggingface.out / "ft-linear-supervised" / "config.json").read_text())
    parent = zoo.checkpoint("pre-supervised")
    assert raw["vitzoo"] == {
        "zoo": "little",
        "licence": "CC-BY-4.0",
        "member": "ft-linear-supervised",
        "id": zoo.member("ft-linear-supervised").id,
        "stage": "finetuning",
        "epoch": 2,
        "sha256": zoo.checkpoint("ft-linear-supervised").sha256,
        "parent": {"member": "pre-supervised", "epoch": 2, "sha256": parent.sha256},
        "from": {
            "member": "ft-linear-supervised",
            "epoch": 1,
            "sha256": zoo.checkpoint("ft-linear-supervised", 1).sha256,
        },
    }


def test_what_a_timm_config_says(zoo: Zoo, to_timm: Result) -> None:
    for name in NAMES:
        found = json.loads((to_timm.out / name / "config.json").read_text())
        own = zoo.member(name).config
        assert {key: found[key] for key in ("recipe", "parent", "id", "name")} == {
            key: own[key] for key in ("recipe", "parent", "id", "name")
        }
        assert found["vitzoo"]["sha256"] == zoo.checkpoint(name).sha256
        assert found["architecture"] == "vit_small_patch16_224"
        assert (
            found["pretrained_cfg"]["num_classes"]
            == found["num_classes"]
            == (0 if "mlp" in name else own["num_classes"])
        )


def test_linear_members_are_linked_and_mlp_heads_are_a_file_of_their_own(zoo: Zoo, to_timm: Result) -> None:
    for name in NAMES:
        source, weights = zoo.checkpoint(name).path / "model.safetensors", to_timm.out / name / "model.safetensors"
        if "mlp" in name:
            both = {f"head.{key}": value for key, value in load_file(weights.with_name("head.safetensors")).items()}
            both |= load_file(weights)
            assert set(both) == set(zoo.checkpoint(name).names())
        else:
            assert weights.samefile(source)
    assert any("weights of 4 checkpoints are hard links" in note for note in to_timm.notes)
    assert any(note.startswith("2 of 6 members with an MLP head") for note in to_timm.notes)


def test_copies_are_files_of_their_own(zoo: Zoo, tmp_path: Path) -> None:
    found = export(zoo, "timm", tmp_path / "out", where="head = 'linear'", copy=True)
    source = zoo.checkpoint("pre-supervised").path / "model.safetensors"
    weights = tmp_path / "out" / "pre-supervised" / "model.safetensors"
    assert not weights.samefile(source)
    assert weights.read_bytes() == source.read_bytes()
    assert any("weights of 4 checkpoints are copies" in note for note in found.notes)


def test_where_no_link_can_be_made_weights_are_copied(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: Any, **__: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    found = export(zoo, "timm", tmp_path / "out", where="member = 'pre-supervised'")
    assert found.notes == ("The weights of 1 checkpoint are copies, whose digests were checked.",)
    assert (tmp_path / "out/pre-supervised/model.safetensors").stat().st_nlink == 1


@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_several_epochs_of_a_member_lie_below_its_name(zoo: Zoo, tmp_path: Path, to: str) -> None:
    found = export(zoo, to, tmp_path / "out", where="member = 'ft-linear-supervised'", epochs=[0, 2])
    assert (found.members, found.checkpoints) == (1, 2)
    for epoch in (0, 2):
        place = tmp_path / "out" / "ft-linear-supervised" / f"checkpoint_{epoch:06d}"
        assert json.loads((place / "config.json").read_text())["vitzoo"]["epoch"] == epoch
    everything = export(zoo, to, tmp_path / "all", epochs="all")
    assert everything.checkpoints == zoo.count()


@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_the_root_readme_runs(zoo: Zoo, tmp_path: Path, in_folder: Any, to: str, images: torch.Tensor) -> None:
    out = export(zoo, to, tmp_path / "out", where="member LIKE '%supervised'").out
    assert in_folder(out / "README.md", 0)["model"](images.float()) is not None
    with_head = in_folder(out / "README.md", 1)
    if to == "timm":
        assert with_head["model"](images.float()).shape == (5, 10)
    else:
        assert with_head["logits"](images.float()).shape == (5, 10)


@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_half_precision_and_a_vit_of_another_shape(tmp_path: Path, to: str, images: torch.Tensor) -> None:
    zoo = empty(tmp_path / "zoo")
    arch = backbone(dim=16, heads=2, depth=11, mlp_ratio=1.7)
    grow(zoo.add_member(config("half", arch)), arch, dtype="f2")
    place = export(zoo, to, tmp_path / "out").out / "half"
    if to == "timm":
        found = timm.create_model(f"local-dir:{place}", pretrained=True).eval().double()(images)
    else:
        found = ViTForImageClassification.from_pretrained(place).eval().double()(images).logits
    with torch.no_grad():
        torch.testing.assert_close(found.detach(), logits(zoo, "half", images), **EXACT)


@pytest.mark.parametrize("to", ["timm", "huggingface"])
def test_a_merged_member_prepares_images_as_its_first_ingredient(tmp_path: Path, to: str) -> None:
    zoo = empty(tmp_path / "zoo")
    arch = backbone()
    edges = [
        grow(zoo.add_member(config(name, arch, source=source)), arch)
        for name, source in (("a", "digits"), ("b", "cifar10"))
    ]
    made = merge.make("mean", {}, [edge | {"share": 0.5} for edge in edges])
    own = merge.make_config("soup", made, [zoo.member(name).config for name in "ab"])
    zoo.add_merged(own, tensors(arch, 5), {"test_acc": 0.5})
    out = export(zoo, to, tmp_path / "out", where="stage = 'merging'").out / "soup"
    found = json.loads((out / "config.json").read_text())["vitzoo"]
    assert found["parent"] is None
    assert [one["member"] for one in found["merge"]["ingredients"]] == ["a", "b"]
    if to == "timm":  # digits are made as large as they are wanted, CIFAR's would be cut
        assert json.loads((out / "config.json").read_text())["pretrained_cfg"]["crop_pct"] == 1.0
    else:
        assert json.loads((out / "preprocessor_config.json").read_text())["size"] == {"shortest_edge": 8}


def test_names_of_classes_are_those_of_the_data() -> None:
    from sklearn.datasets import load_digits

    def of(source: str, outputs: int, task: str = "supervised") -> list[str] | None:
        return labels({"dataset": {"source": source}, "hyperparameters": {"task": task}}, outputs)

    assert of("digits", 10) == [str(name) for name in load_digits().target_names]
    names = of("cifar100", 100)
    assert names is not None and names == sorted(set(names)) and len(names) == 100
    assert len(of("imagenet", 1000) or []) == 1000
    assert of("cifar10", 100) is None  # outputs that are not its classes
    assert of("cifar10", 10, "contrastive") is None
    assert of("folder:birds", 3) is None
    assert labels({}, 10) is None
