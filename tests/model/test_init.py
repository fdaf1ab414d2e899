"""Initialisation: deterministic per (seed, tensor), with timm's and the released code's distributions."""

import math

import pytest
import torch

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.compat import ensure_torchvision
from vitzoo.model.init import initial, initial_head
from vitzoo.model.shapes import parameter_shapes

FIELDS = {"image_size": 32, "patch_size": 4, "dim": 96, "depth": 2, "heads": 3}


def arch(**more):
    return Backbone(**FIELDS, **({"head": Head(outputs=100)} | more))


def test_tensors_depend_on_seed_and_name_alone():
    one, other = initial(arch(), 1), initial(arch(head=Head(outputs=7)), 1)
    assert all(torch.equal(one[name], other[name]) for name in one if not name.startswith("head"))
    assert not torch.equal(one["blocks.0.attn.qkv.weight"], one["blocks.1.attn.qkv.weight"])
    assert not torch.equal(one["pos_embed"], initial(arch(), 2)["pos_embed"])
    assert torch.equal(initial_head(arch(), 1)["head.weight"], one["head.weight"])


def test_timm_scheme_has_timms_moments():
    ensure_torchvision()
    import timm

    args = {"img_size": 32, "patch_size": 4, "embed_dim": 96, "depth": 2, "num_heads": 3, "num_classes": 100}
    theirs = timm.create_model("vit_small_patch16_224", **args).state_dict()
    for name, ours in initial(arch(), 0).items():
        expected = float(theirs[name].std(correction=0))
        assert float(ours.std(correction=0)) == pytest.approx(expected, rel=0.5 if ours.numel() < 200 else 0.05), name
        chance = (
            5 * expected * math.sqrt(2 / ours.numel())
        )  # five standard errors of the difference: timm's are not seeded
        assert float(ours.mean()) == pytest.approx(float(theirs[name].mean()), abs=max(chance, 1e-6)), name


def test_released_scheme_is_kaiming_with_small_biases():
    tensors = initial(arch(init="released"), 0)
    for name, shape in parameter_shapes(arch()).items():
        if "norm" in name or name in ("cls_token", "pos_embed"):
            continue
        if name.endswith("bias"):
            assert torch.equal(tensors[name], torch.full(shape, 0.01)), name
        else:
            std = math.sqrt(2 / math.prod(shape[1:]))
            assert float(tensors[name].std()) == pytest.approx(std, rel=0.05), name


@pytest.mark.parametrize("scheme", ["timm", "released"])
def test_an_mlp_head_keeps_torchs_default(scheme):
    head = initial(arch(init=scheme, head=Head(kind="mlp", hidden=256, outputs=100)), 0)
    bound = 1 / math.sqrt(96)
    assert float(head["head.0.weight"].abs().max()) == pytest.approx(bound, rel=0.01)
    assert float(head["head.0.bias"].abs().max()) == pytest.approx(bound, rel=0.05)
    assert float(head["head.2.weight"].std()) == pytest.approx(1 / math.sqrt(256 * 3), rel=0.03)
