"""AugReg's archives under timm's names, held to timm's own loader of them, bit for bit."""

import numpy as np
import pytest
import timm
import torch
from folder_trees import augreg_arrays
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models.vision_transformer import VisionTransformer

from vitzoo.errors import InputError
from vitzoo.sharing.names import augreg, convert

SHAPES = [
    {"dim": 48, "heads": 3, "depth": 2, "patch": 4, "image": 16, "classes": 10},
    {"dim": 64, "heads": 1, "depth": 1, "patch": 8, "image": 8, "classes": 1},
    {"dim": 36, "heads": 6, "depth": 3, "patch": 2, "image": 6, "classes": 21},
    {"dim": 192, "heads": 3, "depth": 12, "patch": 16, "image": 224, "classes": 1000},
]


def loaded_by_timm(path, shape) -> dict[str, torch.Tensor]:
    model = VisionTransformer(
        img_size=shape["image"],
        patch_size=shape["patch"],
        embed_dim=shape["dim"],
        depth=shape["depth"],
        num_heads=shape["heads"],
        num_classes=shape["classes"],
    )
    model.load_pretrained(str(path))
    return model.state_dict()


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_timms_loader_bit_for_bit(tmp_path, shape):
    arrays = augreg_arrays(**shape)
    np.savez(tmp_path / "model.npz", **arrays)
    with np.load(tmp_path / "model.npz") as stored:
        ours = augreg.to_timm(stored)
        assert augreg.heads(stored) == shape["heads"]
    theirs = loaded_by_timm(tmp_path / "model.npz", shape)
    assert list(ours) == list(theirs)  # timm's order, too
    for name, tensor in theirs.items():
        assert ours[name].dtype == np.float32 and ours[name].flags.c_contiguous
        assert np.array_equal(ours[name], tensor.numpy()), name


@settings(max_examples=25, deadline=None)
@given(
    heads=st.integers(1, 4),
    width=st.integers(1, 5),
    depth=st.integers(1, 12),
    patch=st.integers(1, 3),
    side=st.integers(1, 3),
    classes=st.integers(1, 5),
)
def test_every_shape_goes_through_and_no_number_changes(heads, width, depth, patch, side, classes):
    arrays = augreg_arrays(heads * width, heads, depth, patch, patch * side, classes)
    found = augreg.to_timm(arrays)
    assert sum(array.size for array in found.values()) == sum(array.size for array in arrays.values())
    before, after = (np.sort(np.concatenate([a.ravel() for a in d.values()])) for d in (arrays, found))
    assert np.array_equal(before, after)


def test_a_stock_timm_model_takes_them(tmp_path):
    arrays = augreg_arrays(dim=192, heads=3, depth=12, patch=16, image=224, classes=100)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=100)
    tensors = {name: torch.from_numpy(array) for name, array in augreg.to_timm(arrays).items()}
    model.load_state_dict(tensors, strict=True)


def test_the_importers_conversion_finds_the_way_here():
    arrays = augreg_arrays(dim=8, heads=2, depth=1, patch=4, image=8, classes=3)
    assert list(convert.to_timm(arrays)) == list(augreg.to_timm(arrays))


@pytest.mark.parametrize(
    ("extra", "because"),
    [
        ({"pre_logits/kernel": np.zeros((8, 8), "f4")}, "pre_logits"),
        ({"conv_root/kernel": np.zeros((7, 7, 3, 64), "f4")}, "hybrid"),
        ({"block1/unit1/conv1/kernel": np.zeros((1, 1, 8, 8), "f4")}, "hybrid"),
        ({"MAPHead_0/probe": np.zeros((1, 1, 8), "f4")}, "attention pooling"),
        ({"surprise": np.zeros(3, "f4")}, "'surprise'"),
        ({"cls": np.zeros((8,), "f4")}, "'cls' has shape"),
        ({"cls": np.zeros((1, 1, 8), "i4")}, "type int32"),
        ({"cls": np.zeros((1, 1, 8), "V2")}, r"type \|V2"),
        ({"Transformer/encoderblock_3/LayerNorm_0/scale": np.zeros(8, "f4")}, "encoderblock_1"),
    ],
)
def test_what_is_no_plain_vit_is_refused_with_the_reason(extra, because):
    arrays = augreg_arrays(dim=8, heads=2, depth=1, patch=4, image=8, classes=3) | extra
    with pytest.raises(InputError, match=because):
        augreg.to_timm(arrays)


def test_a_missing_tensor_is_named():
    arrays = augreg_arrays(dim=8, heads=2, depth=1, patch=4, image=8, classes=3)
    del arrays["Transformer/encoderblock_0/MlpBlock_3/Dense_1/bias"]
    with pytest.raises(InputError, match="MlpBlock_3/Dense_1/bias"):
        augreg.to_timm(arrays)
    with pytest.raises(InputError, match="query/kernel"):
        augreg.heads({})
