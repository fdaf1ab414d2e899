"""Names of tensors there and here, held against real models of transformers and timm."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from transformers import ViTConfig, ViTForImageClassification, ViTModel

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.errors import InputError
from vitzoo.model.shapes import parameter_shapes
from vitzoo.sharing.names.huggingface import PARTS, from_timm, to_timm, unused

SIZES = {"hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 20}
CONFIG = ViTConfig(**SIZES, image_size=8, patch_size=4, layer_norm_eps=1e-6, num_labels=7)
QUERY = "encoder.layer.0.attention.attention.query.weight"

Tensors = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def classifier() -> ViTForImageClassification:
    torch.manual_seed(0)
    model = ViTForImageClassification(CONFIG).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model


def in_memory(model: torch.nn.Module) -> Tensors:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def in_file(model: ViTForImageClassification | ViTModel, place: Path) -> Tensors:
    model.save_pretrained(place)
    return load_file(place / "model.safetensors")


def timm_model(outputs: int = 7) -> torch.nn.Module:
    sizes = {"img_size": 8, "patch_size": 4, "embed_dim": 12, "depth": 3, "num_heads": 3, "mlp_ratio": 20 / 12}
    return timm.create_model("vit_small_patch16_224", num_classes=outputs, **sizes).eval()


@pytest.mark.parametrize("spelling", ["memory", "file"])
def test_timm_computes_the_same_logits(classifier: ViTForImageClassification, tmp_path: Path, spelling: str) -> None:
    theirs = in_memory(classifier) if spelling == "memory" else in_file(classifier, tmp_path)
    ours, model = to_timm(theirs), timm_model()
    assert list(ours) == list(model.state_dict())  # the order, too
    model.load_state_dict({name: torch.from_numpy(array) for name, array in ours.items()})
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        expected = classifier.double()(x).logits
        torch.testing.assert_close(model.double()(x), expected, rtol=0, atol=1e-12)
    classifier.float()


def test_what_is_written_is_what_their_files_hold(classifier: ViTForImageClassification, tmp_path: Path) -> None:
    theirs = in_file(classifier, tmp_path)
    ours = from_timm(to_timm(in_memory(classifier)))
    assert set(ours) == set(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_backbone_alone_has_the_names_of_vitmodel(tmp_path: Path) -> None:
    model = ViTModel(CONFIG, add_pooling_layer=False)
    theirs = in_file(model, tmp_path)
    assert set(from_timm(to_timm(theirs))) == set(theirs)
    assert not any(name.startswith("vit.") for name in theirs)
    with_prefix = {f"vit.{name}": array for name, array in theirs.items()}
    assert list(to_timm(with_prefix)) == list(to_timm(theirs)) == list(timm_model(0).state_dict())


sizes = st.fixed_dictionaries(
    {"heads": st.integers(1, 3), "width": st.integers(2, 4), "depth": st.integers(1, 12), "outputs": st.integers(1, 4)}
)


@settings(max_examples=25, deadline=None)
@given(sizes=sizes, with_head=st.booleans(), shuffled=st.randoms(use_true_random=False))
def test_there_and_back_changes_nothing(sizes: dict[str, int], with_head: bool, shuffled: object) -> None:
    head = Head(outputs=sizes["outputs"])
    dim = 2 * sizes["heads"] * sizes["width"]
    arch = Backbone(image_size=8, patch_size=4, dim=dim, depth=sizes["depth"], heads=sizes["heads"], head=head)
    random = np.random.default_rng(0)
    ours = {
        name: random.standard_normal(shape, dtype="f4")
        for name, shape in parameter_shapes(arch).items()
        if with_head or not name.startswith("head.")
    }
    theirs = list(from_timm(ours).items())
    shuffled.shuffle(theirs)
    back = to_timm(dict(theirs))
    assert list(back) == list(ours)  # timm's order, whatever theirs was: block 10 comes after block 9
    assert all(np.array_equal(back[name], ours[name]) for name in ours)


def test_nothing_is_copied_on_the_way_there() -> None:
    qkv = np.arange(9.0)
    theirs = from_timm({"blocks.0.attn.qkv.bias": qkv})
    assert all(np.shares_memory(part, qkv) for part in theirs.values())


def test_no_bias_of_query_key_and_value_stays_none() -> None:
    model = ViTForImageClassification(ViTConfig(**SIZES, image_size=8, patch_size=4, qkv_bias=False))
    assert "blocks.0.attn.qkv.bias" not in to_timm(in_memory(model))


def test_a_pooler_and_a_mask_token_are_refused_until_they_are_left_out() -> None:
    tensors = in_memory(ViTModel(CONFIG, use_mask_token=True))
    with pytest.raises(InputError, match=r"'embeddings.mask_token' has no place.*Leave it out: it stands for masked"):
        to_timm(tensors)
    needless = unused(tensors)
    assert set(needless) == {"embeddings.mask_token", "pooler.dense.weight", "pooler.dense.bias"}
    without = {name: array for name, array in tensors.items() if name not in needless}
    assert list(to_timm(without)) == list(timm_model(0).state_dict())


def theirs_with(**changes: np.ndarray | None) -> Tensors:
    """Two tensors of a block, some of them changed or left out."""
    found = {QUERY.replace("query", part): np.ones((2, 2), "f4") for part in PARTS}
    named = {QUERY.replace("query", part): array for part, array in changes.items()}
    return {name: array for name, array in (found | named).items() if array is not None}


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"vit.encoder.layer.0.attention.qkv.weight": 0}, "'vit.encoder.layer.0.attention.qkv.weight' has no place"),
        ({"encoder.layer.00.layernorm_before.bias": 0}, "has no place"),
        ({"encoder.layer.x.layernorm_before.bias": 0}, "has no place"),
        ({"vit.vit.layernorm.bias": 0}, "has no place"),
        ({"../../etc/passwd": 0}, "has no place"),
        ({"layernorm.bias": 0, "vit.layernorm.bias": 0}, "are the same one under two names"),
        ({QUERY: 0, "layers.0.attention.q_proj.weight": 0}, "are the same one under two names"),
        (theirs_with(key=None), "query.weight' has no companion for the key"),
        (theirs_with(query=None), "key.weight' has no companion for the query"),
        (theirs_with(value=np.ones((3, 2), "f4")), r"value.weight' has shape \[3, 2\] of float32"),
        (theirs_with(key=np.ones((2, 2), "f2")), r"key.weight' has shape \[2, 2\] of float16"),
    ],
)
def test_what_has_no_place_here_is_refused_by_name(tensors: Tensors, said: str) -> None:
    arrays = {name: np.asarray(array, "f4") if np.isscalar(array) else array for name, array in tensors.items()}
    with pytest.raises(InputError, match=said):
        to_timm(arrays)


@pytest.mark.parametrize(
    "name", ["head.0.weight", "fc_norm.weight", "blocks.0.ls1.gamma", "blocks.0.attn.q_norm.weight"]
)
def test_what_has_no_place_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}' has no place in Hugging Face's ViT"):
        from_timm({"norm.bias": np.zeros(2), name: np.zeros(2)})


def test_rows_of_qkv_that_cannot_be_split_in_three_are_refused() -> None:
    with pytest.raises(InputError, match=r"blocks.0.attn.qkv.bias' has no place"):
        from_timm({"blocks.0.attn.qkv.bias": np.zeros(4)})
