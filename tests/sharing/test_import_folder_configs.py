"""Configs of timm and Hugging Face: which models are a zoo's plain ViT, held against timm and transformers."""

import json

import pytest
import timm
import torch
from folder_trees import huggingface_model, save_huggingface, save_timm
from timm.layers import Attention, Mlp
from timm.models import _registry as registry
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

from vitzoo.errors import InputError
from vitzoo.model import vit
from vitzoo.sharing.importing.layouts.folder import configs, huggingface_config, timm_config, tree
from vitzoo.sharing.importing.layouts.folder.models import CONFIG


def is_plain(model: nn.Module) -> bool:
    """Whether a model is a plain pre-norm ViT with class token, GELU, qkv bias and ε 1e-6, whatever its size."""
    if type(model) is not VisionTransformer or not isinstance(model.norm, nn.LayerNorm):
        return False
    block = model.blocks[0]
    if type(block) is not Block or type(block.attn) is not Attention or type(block.mlp) is not Mlp:
        return False
    identities = (model.norm_pre, model.fc_norm, block.ls1, block.attn.q_norm)
    return (
        (model.global_pool, model.num_prefix_tokens, model.no_embed_class) == ("token", 1, False)
        and all(isinstance(layer, nn.Identity) for layer in identities)
        and isinstance(block.norm1, nn.LayerNorm)
        and block.norm1.eps == model.norm.eps == vit.EPS
        and block.attn.qkv.bias is not None
        and type(block.mlp.act) is nn.GELU
        and block.mlp.act.approximate == "none"
    )


def test_the_names_of_plain_vits_are_those_of_timm():
    """Every ViT and DeiT of timm, made without memory and with one block, is plain if and only if its name says so."""
    names = timm.list_models(module="vision_transformer") + timm.list_models(module="deit")
    assert len(names) > 150
    with torch.device("meta"):
        for name in names:
            model = timm.create_model(name, depth=1)
            heads = timm_config.heads_of(name)
            assert (heads is not None) == is_plain(model), name
            if heads is not None:
                assert heads == model.blocks[0].attn.num_heads, name


def test_older_names_of_timm_mean_what_timm_says():
    for old, new in registry._deprecated_models.items():
        if old.startswith(("vit_", "deit")) and isinstance(new, str):
            assert timm_config.heads_of(old) == timm_config.heads_of(new), old


def test_hybrids_and_other_families_are_refused_by_name():
    for name in ("vit_small_r26_s32_224", "beit_base_patch16_224", "swin_tiny_patch4_window7_224", "resnet18", 3, None):
        with pytest.raises(InputError, match="not the plain ViT"):
            timm_config.read({"architecture": name, "num_classes": 10})


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"model_args": {"reg_tokens": 4}}, "reg_tokens 4"),
        ({"model_args": {"class_token": False}}, "class_token False"),
        ({"model_args": {"init_values": 1e-5}}, "init_values 1e-05"),
        ({"model_args": {"qkv_bias": False}}, "qkv_bias False"),
        ({"model_args": {"qkv_bias": 1}}, "qkv_bias 1"),
        ({"model_args": {"norm_layer": "rmsnorm"}}, "norm_layer 'rmsnorm'"),
        ({"model_args": {"mlp_layer": "swiglu"}}, "'mlp_layer' 'swiglu'"),
        ({"model_args": {"in_chans": 1}}, "in_chans 1"),
        ({"model_args": {"num_heads": 3000}}, "num_heads 3000"),
        ({"model_args": {"num_heads": True}}, "num_heads True"),
        ({"model_args": {"img_size": [32, 64]}}, "not square"),
        ({"global_pool": "avg"}, "global_pool 'avg'"),
        ({"num_classes": 0}, "no classification head"),
        ({"pretrained_cfg": {"input_size": [3, 32, 64]}}, "not square"),
        ({"pretrained_cfg": {"input_size": [1, 32, 32]}}, "three channels"),
    ],
)
def test_timms_arguments_that_make_another_model_are_refused(changes, because):
    config = {"architecture": "vit_small_patch16_224", "num_classes": 10}
    assert timm_config.read(config).recipe == {"architecture": {"heads": 6}}
    with pytest.raises(InputError, match=because):
        timm_config.read(config | changes)


def test_what_timm_saves_is_read(tmp_path):
    model = save_timm(tmp_path / "m")
    facts = configs.read(tree.read(tmp_path / "m")[0])
    assert facts.recipe["architecture"] == {"heads": model.blocks[0].attn.num_heads}
    cfg = model.pretrained_cfg
    assert facts.recipe["dataset"] == {"mean": list(cfg["mean"]), "std": list(cfg["std"])}
    assert facts.declared["config"]["architecture"] == "vit_tiny_patch16_224"


def test_the_epsilon_of_layer_norm():
    """vitzoo's ε is timm's, not Hugging Face's default; what that does to logits is what the note says."""
    assert huggingface_config.EPS == vit.EPS == timm.create_model("vit_tiny_patch16_224", depth=1).norm.eps
    from transformers import ViTConfig

    assert ViTConfig().layer_norm_eps == huggingface_config.DEFAULT_EPS
    torch.manual_seed(0)
    model = huggingface_model(hidden_size=192, num_attention_heads=3, intermediate_size=768, image_size=32)
    images = torch.randn(8, 3, 32, 32, dtype=torch.float64)
    logits = {}
    for eps in (1e-12, 1e-6):
        for layer in model.modules():
            if isinstance(layer, nn.LayerNorm):
                layer.eps = eps
        with torch.no_grad():
            logits[eps] = model.double()(images).logits
    difference = ((logits[1e-6] - logits[1e-12]).abs().max() / logits[1e-12].abs().max()).item()
    assert 1e-5 < difference < 1e-3  # far more than rounding in single precision, and less than the note's 0.1 %


@pytest.mark.parametrize("kind", sorted(huggingface_config._RELATIVES))
def test_relatives_of_the_vit_are_known_to_transformers_and_refused(kind):
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    names = {*CONFIG_MAPPING_NAMES, *(name.replace("-", "_") for name in CONFIG_MAPPING_NAMES)}
    assert kind in names or kind.replace("-", "_") == "vit_hybrid"  # gone from version 5
    with pytest.raises(InputError, match="not 'vit': it"):
        huggingface_config.read({"model_type": kind})


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"model_type": "resnet"}, "'resnet', not 'vit'"),
        ({"model_type": ["vit"]}, "not 'vit'"),
        ({"hidden_act": "gelu_new"}, "hidden_act 'gelu_new'"),
        ({"hidden_act": "quick_gelu"}, "hidden_act"),
        ({"qkv_bias": False}, "qkv_bias False"),
        ({"num_channels": 1}, "num_channels 1"),
        ({"layer_norm_eps": 1e-5}, "ε 1e-05"),
        ({"layer_norm_eps": "1e-6"}, "ε '1e-6'"),
        ({"layer_norm_eps": -1}, "ε -1"),
        ({"layer_norm_eps": None}, "ε None"),
        ({"image_size": [224, 112]}, "not square"),
        ({"patch_size": [16, 8]}, "not square"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"architectures": ["ViTModel"]}, "no classification head"),
        ({"architectures": ["ViTForMaskedImageModeling"]}, "no classification head"),
    ],
)
def test_hugging_faces_settings_that_make_another_model_are_refused(changes, because):
    plain = {"model_type": "vit", "num_attention_heads": 6, "layer_norm_eps": 1e-6}
    facts = huggingface_config.read(plain)
    assert facts.recipe == {"architecture": {"heads": 6}} and not facts.notes
    with pytest.raises(InputError, match=because):
        huggingface_config.read(plain | changes)


def test_what_transformers_saves_is_read_with_its_preprocessor(tmp_path):
    save_huggingface(tmp_path / "m")
    processor = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.2], "do_normalize": True}
    (tmp_path / "m" / "preprocessor_config.json").write_text(json.dumps(processor))
    facts = configs.read(tree.read(tmp_path / "m")[0])
    assert facts.recipe == {"architecture": {"heads": 2}, "dataset": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}}
    assert "ε 1e-12" in facts.notes[0] and "id2label" not in facts.declared["config"]


def test_labels_of_many_classes_are_no_obstacle(tmp_path):
    save_huggingface(tmp_path / "m")
    path = tmp_path / "m" / CONFIG
    labels = {str(n): f"a class with a rather long name, number {n}" for n in range(21_843)}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"id2label": labels}, indent=2))
    assert path.stat().st_size > 1_000_000
    facts = configs.read(tree.read(tmp_path / "m")[0])
    assert len(json.dumps(facts.declared)) < 2_000


def test_a_config_of_a_zoo_tells_recipe_parent_and_epoch(tmp_path):
    recipe = {
        "architecture": {"init": "released"},
        "dataset": {"source": "digits", "mean": [0.5, 0.5, 0.5]},
        "hyperparameters": {"seed": 1, "epochs": 9, "batch_size": 8, "lr": 0.1},
        "augmentation": {"flip": 7},
    }
    parent = {"member": "pre", "epoch": 3, "sha256": "0" * 64}
    said = {"recipe": recipe, "parent": {"member": "pre", "id": "0" * 64}, "vitzoo": {"epoch": 5, "parent": parent}}
    (tmp_path / CONFIG).write_text(json.dumps({"architecture": "vit_tiny_patch16_224"} | said))
    facts = configs.read(tree.read(tmp_path)[0])
    assert facts.recipe["architecture"] == {"heads": 3, "init": "released"}
    assert facts.recipe["dataset"] == recipe["dataset"] and facts.recipe["hyperparameters"] == recipe["hyperparameters"]
    assert "augmentation" not in facts.recipe and "augmentation.flip" in facts.notes[0]
    assert (facts.epoch, facts.parent, facts.parent_epoch) == (5, "pre", 3)


def test_a_script_s_own_config_is_a_row_of_factors(tmp_path):
    (tmp_path / CONFIG).write_text('{"lr": 0.1, "optimizer": "SGD", "dataset": "cifar10", "note": "mine"}')
    facts = configs.read(tree.read(tmp_path)[0])
    assert facts.recipe == {"hyperparameters": {"lr": 0.1, "optimizer": "sgd"}, "dataset": {"source": "cifar10"}}
    assert facts.declared == {"config": {"lr": 0.1, "optimizer": "SGD", "dataset": "cifar10", "note": "mine"}}
