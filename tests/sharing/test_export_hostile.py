"""Zoos that lie: an export refuses, by name, what would mislead or harm whoever opens it."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exportable import backbone, config, empty, grow, populate, tensors

from vitzoo.errors import InputError, IntegrityError, VitzooError
from vitzoo.sharing.exporting.run import export
from vitzoo.zoo import Zoo, safetensors_io

MODELS = ("timm", "huggingface")
TARGETS = (*MODELS, "npz")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    zoo, arch = empty(tmp_path_factory.mktemp("sound") / "zoo"), backbone()
    grow(zoo.add_member(config("one", arch)), arch)
    return zoo.path


@pytest.fixture
def copied(sound: Path, tmp_path: Path) -> Zoo:
    """A zoo to be damaged."""
    shutil.copytree(sound, tmp_path / "zoo")
    return Zoo.open(tmp_path / "zoo")


def with_config(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> Zoo:
    """A zoo whose one member's config says something else, in all places."""
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    about = config("one", arch)
    change(about)
    grow(zoo.add_member(about), arch)
    return zoo


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(about: dict[str, Any]) -> None:
        for key in keys[:-1]:
            about = about[key]
        about[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("model_args", "depth", value=3000), r"no model that vitzoo grows: depth: .*less than or equal to 64"),
        (
            put("model_args", "depth", value=3),
            r"'blocks.2.norm1.weight': its shape is none, the config declares \[12\]",
        ),
        (
            put("model_args", "embed_dim", value=24),
            r"'cls_token': its shape is \[1, 1, 12\], the config declares \[1, 1, 24\]",
        ),
        (put("model_args", "embed_dim", value="12"), r"dim: Input should be a valid integer"),
        (put("model_args", "num_heads", value=5), r"dim is 12; expected a multiple of heads 5"),
        (put("model_args", "mlp_ratio", value=1e308), r"mlp_ratio: .*less than or equal to 16"),
        (put("model_args", "norm_layer", value="os.system"), r"describes no model that vitzoo grows"),
        (put("model_args", value=[1]), r"describes no model that vitzoo grows"),
        (put("architecture", value="resnet50"), r"describes no model that vitzoo grows: architecture 'resnet50'"),
        (put("architecture", value=["vit"]), r"describes no model that vitzoo grows"),
        (put("architecture", value="vitzoo_vit_mlp"), r"hidden is None; expected a width for kind 'mlp'"),
        (
            put("num_classes", value=11),
            r"'head.weight': its shape is \[10, 12\], the config declares \[11, 12\]",
        ),
        (put("num_classes", value=0), r"outputs: Input should be greater than or equal to 1"),
        (put("num_classes", value=True), r"outputs: Input should be a valid integer"),
        (lambda about: about.pop("model_args"), r"describes no model that vitzoo grows: it has no model_args"),
        (put("num_classes", value=10**6), r"outputs: "),
        (put("global_pool", value="avg"), r"describes no model that vitzoo grows"),
        (put("pretrained_cfg", value=None), r"no mean of three channels"),
        (put("pretrained_cfg", "mean", value=[0.5]), r"no mean of three channels"),
        (put("pretrained_cfg", "mean", value=[0, 0, 10**9]), r"no mean of three channels"),
        (put("pretrained_cfg", "std", value=[0.5, 0, 0.5]), r"std of 0.0 .* by which nothing can be divided"),
        (put("pretrained_cfg", "std", value=["1", 1, 1]), r"no std of three channels"),
    ],
)
def test_a_config_that_describes_something_else_is_refused(tmp_path: Path, change: Any, said: str) -> None:
    zoo = with_config(tmp_path, change)
    begun = time.monotonic()
    for to in MODELS:
        with pytest.raises((InputError, IntegrityError), match=said):
            export(zoo, to, tmp_path / "out")
    assert time.monotonic() - begun < 5
    assert not (tmp_path / "out").exists()


def test_what_timm_would_follow_is_not_passed_on(tmp_path: Path) -> None:
    def change(about: dict[str, Any]) -> None:
        about["pretrained_cfg"] |= {"url": "https://example.org/evil.bin", "file": "/etc/passwd", "custom_load": True}
        about["pretrained_cfg"]["classifier"] = "norm"

    out = export(with_config(tmp_path, change), "timm", tmp_path / "out").out
    found = json.loads((out / "one" / "config.json").read_text())
    assert not {"url", "file", "custom_load"} & set(found["pretrained_cfg"])
    assert found["pretrained_cfg"]["classifier"] == "head"


@pytest.mark.parametrize("to", TARGETS)
def test_weights_that_were_changed_are_refused(copied: Zoo, tmp_path: Path, to: str) -> None:
    path = copied.checkpoint("one").path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"has another digest than manifest.json says"):
        export(copied, to, tmp_path / "out", copy=to == "timm")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", TARGETS)
def test_weights_that_were_cut_off_are_refused(copied: Zoo, tmp_path: Path, to: str) -> None:
    path = copied.checkpoint("one").path / "model.safetensors"
    os.truncate(path, path.stat().st_size - 4)
    with pytest.raises(IntegrityError, match="its header speaks of"):
        export(copied, to, tmp_path / "out")


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_symbolic_links_are_not_followed(copied: Zoo, tmp_path: Path, to: str, name: str) -> None:
    member = copied.member("one")
    path = (member.path if name == "config.json" else member.checkpoint().path) / name
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(VitzooError):
        export(Zoo.open(copied.path), to, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_put_in_place_between_the_check_and_the_export_is_refused(
    copied: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = copied.checkpoint("one").path / "model.safetensors", os.link

    def swap(*arguments: Any, **settings: Any) -> None:
        path.rename(tmp_path / "secret")
        path.symlink_to(tmp_path / "secret")
        link(*arguments, **settings)

    monkeypatch.setattr(os, "link", swap)
    with pytest.raises(IntegrityError, match=r"is not the file that manifest.json speaks of"):
        export(copied, "timm", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", MODELS)
def test_tensors_that_are_no_floats_are_refused(tmp_path: Path, to: str) -> None:
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    member = zoo.add_member(config("one", arch, epochs=1))
    weights = tensors(arch, 0) | {"norm.bias": np.zeros(12, "i8")}
    for epoch in (0, 1):
        member.commit(epoch, weights, {}, None)
    with pytest.raises(IntegrityError, match=r"tensor 'norm.bias': I64 is no type of weights"):
        export(zoo, to, tmp_path / "out")


@pytest.mark.parametrize("to", MODELS)
def test_a_tensor_too_many_is_refused(tmp_path: Path, to: str) -> None:
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    member = zoo.add_member(config("one", arch, epochs=1))
    for epoch in (0, 1):
        member.commit(epoch, tensors(arch, 0) | {"evil": np.zeros(2, "f4")}, {}, None)
    with pytest.raises(IntegrityError, match=r"tensor 'evil': its shape is \[2\], the config declares none"):
        export(zoo, to, tmp_path / "out")


def test_members_whose_names_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    zoo = populate(tmp_path / "zoo")
    source = zoo.member("ft-linear-supervised").path
    target = zoo.member("ft-linear-contrastive").path.with_name("FT-linear-supervised")
    shutil.copytree(source, target)
    for path in target.rglob("*.json"):
        text = path.read_text().replace('"ft-linear-supervised"', '"FT-linear-supervised"')
        path.write_text(text.replace('"pre-supervised"', '"pre-contrastive"'))
    opened = Zoo.open(zoo.path)
    with pytest.raises(IntegrityError, match="which differ in case at most"):
        export(opened, "timm", tmp_path / "out", epochs="all")


def test_what_a_catalogue_makes_up_is_refused(copied: Zoo, tmp_path: Path) -> None:
    copied.catalogue()
    other = copied.checkpoint("one", 0).path
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["files"]["model.safetensors"]["sha256"] = "0" * 64
    (other / "manifest.json").write_text(json.dumps(manifest))
    copied._catalogue.fingerprint = __import__("vitzoo.zoo.catalogue").zoo.catalogue.fingerprint(copied)
    with pytest.raises(IntegrityError, match=r"was changed after the catalogue was made|has another digest"):
        export(copied, "npz", tmp_path / "out", epochs=[0])


@pytest.mark.parametrize("to", TARGETS)
def test_names_of_a_zoo_are_no_markup(tmp_path: Path, to: str) -> None:
    name = "<script>alert(1)</script> [x](javascript:1) `a` | ```"
    zoo, arch = empty(tmp_path / "zoo", name, "*CC* <b>"), backbone()
    grow(zoo.add_member(config("one", arch)), arch)
    out = export(zoo, to, tmp_path / "out", where="member <> '<img src=x>'").out
    text = (out / "README.md").read_text()
    assert "<script" not in text.replace("\\<", "")
    assert "<img" not in text.replace("\\<", "")
    assert "](javascript" not in text.replace("\\]", "")
    assert json.loads((out / "provenance.json").read_text())["zoo"]["name"] == name


def test_a_zoo_with_a_link_as_licence_keeps_the_secret(copied: Zoo, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret")
    (copied.path / "LICENSE").symlink_to(tmp_path / "secret")
    with pytest.raises(IntegrityError, match="LICENSE cannot be opened"):
        export(copied, "timm", tmp_path / "out")


def test_headers_are_read_and_not_believed(copied: Zoo, tmp_path: Path) -> None:
    path = copied.checkpoint("one").path / "model.safetensors"
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(IntegrityError, match="does not begin like a safetensors file"):
        export(copied, "huggingface", tmp_path / "out")
    path.unlink()
    safetensors_io.write(path, {"norm.bias": np.zeros(3, "f4")})
    with pytest.raises(IntegrityError, match=r"tensor 'cls_token': its shape is none"):
        export(copied, "huggingface", tmp_path / "out")
