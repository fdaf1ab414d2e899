"""Where fine-tuning starts: the parent's backbone, a new head, positions on the new grid."""

import pytest
import torch
from little_population import LINEAR, MLP, PROJECTION, backbone, recipe
from timm.layers import resample_abs_pos_embed

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Head
from vitzoo.model.init import initial_head
from vitzoo.model.shapes import parameter_shapes
from vitzoo.training.start import from_parent, from_scratch, resample_positions


def child(head: Head, image_size: int = 8) -> Recipe:
    arch = backbone(head, image_size=image_size)
    return recipe(head, seed=11).model_copy(update={"stage": "finetuning", "architecture": arch, "parent": "a" * 64})


def parent(head: Head = PROJECTION) -> dict[str, torch.Tensor]:
    return from_scratch(recipe(head, seed=3))


@pytest.mark.parametrize("head", [LINEAR, MLP], ids=["linear", "mlp"])
@pytest.mark.parametrize("theirs", [PROJECTION, MLP], ids=["from linear", "from mlp"])
def test_the_backbone_is_the_parents_and_the_head_is_new(head: Head, theirs: Head) -> None:
    above, one = parent(theirs), child(head)
    start = from_parent(one, above)
    fresh = initial_head(one.architecture, 11)
    assert {name: tuple(tensor.shape) for name, tensor in start.items()} == parameter_shapes(one.architecture)
    assert list(start) == list(parameter_shapes(one.architecture))
    for name, tensor in start.items():
        assert torch.equal(tensor, fresh[name] if name.startswith("head") else above[name])


def test_siblings_of_one_seed_have_the_same_head_whoever_the_parent() -> None:
    a, b = (from_parent(child(MLP), from_scratch(recipe(PROJECTION, seed=seed))) for seed in (3, 4))
    assert all(torch.equal(a[name], b[name]) for name in a if name.startswith("head"))
    assert not torch.equal(a["blocks.0.attn.qkv.weight"], b["blocks.0.attn.qkv.weight"])


@pytest.mark.parametrize(("old", "new"), [(2, 4), (4, 2), (4, 7), (7, 3)])
def test_positions_are_resampled_as_timm_does(old: int, new: int) -> None:
    positions = torch.randn(1, 1 + old * old, 12, generator=torch.Generator().manual_seed(0))
    ours = resample_positions(positions, backbone(image_size=4 * new))
    theirs = resample_abs_pos_embed(positions, [new, new], num_prefix_tokens=1)
    assert torch.equal(ours, theirs)


def test_equal_sizes_keep_the_positions_bit_for_bit() -> None:
    above = parent()
    assert torch.equal(from_parent(child(LINEAR), above)["pos_embed"], above["pos_embed"])
    assert from_parent(child(LINEAR, image_size=16), above)["pos_embed"].shape == (1, 17, 12)


def test_a_missing_tensor_is_named() -> None:
    above = parent()
    del above["blocks.1.mlp.fc2.bias"]
    with pytest.raises(ValueError, match=r"no tensor 'blocks\.1\.mlp\.fc2\.bias'"):
        from_parent(child(LINEAR), above)


def test_a_tensor_of_another_shape_is_named_with_both_shapes() -> None:
    above = parent()
    above["blocks.0.norm2.weight"] = torch.ones(13)
    with pytest.raises(ValueError, match=r"'blocks\.0\.norm2\.weight' has shape \(13,\), expected \(12,\)"):
        from_parent(child(LINEAR), above)
