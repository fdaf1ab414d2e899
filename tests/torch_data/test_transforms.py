"""Transforms change weights and not functions: timm's logits stay, and what is drawn depends on what it should."""

import pytest
import torch
from vit_zoo import LINEAR as LINEAR_HEAD

from vitzoo.errors import InputError
from vitzoo.torch import About, Align, Canonical, Checkpoints, Permute, Turn

IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(3))
LINEAR = "stage = 'finetuning' AND head = 'linear'"
CHANGES = {"permute": Permute(1), "canonical": Canonical(), "turn": Turn(1), "both": (Turn(2), Permute(1))}


@torch.no_grad()
def outputs(model):
    return model.double()(IMAGES.double())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_functions_stay_and_weights_do_not(zoo, change):
    where = "member IN ('pre-a', 'ft-b-sgd', 'ft-c-mlp')"
    plain, changed = (Checkpoints(zoo, where, form="model", transform=t) for t in (None, change))
    heads = set()
    for (before, _), (after, _), row in zip(plain, changed, plain.rows, strict=True):
        assert not torch.equal(before.blocks[1].mlp.fc1.weight, after.blocks[1].mlp.fc1.weight)
        torch.testing.assert_close(outputs(after), outputs(before), rtol=1e-4, atol=1e-5)
        heads.add(row["head"])
    assert heads == {"linear", "mlp"}


def test_permutations_only_move_numbers(zoo):
    plain, changed = (Checkpoints(zoo, LINEAR, transform=t) for t in (None, Permute(4)))
    for (before, _), (after, _) in zip(plain, changed, strict=True):
        assert not torch.equal(before, after) and torch.equal(before.sort().values, after.sort().values)


@pytest.mark.parametrize("kind", (Permute, Turn))
def test_what_is_drawn_depends_on_seed_weights_and_epoch_alone(zoo, kind):
    params = {name: torch.from_numpy(a) for name, a in zoo.member("ft-a-sgd").checkpoint().tensors().items()}

    def flat(seed, about):
        return torch.cat([tensor.flatten() for tensor in kind(seed)(params, about).values()])

    base = About(2, "a" * 64, 0)
    assert torch.equal(flat(1, base), flat(1, About(2, "a" * 64, 0)))
    for seed, about in ((2, base), (1, About(2, "b" * 64, 0)), (1, About(2, "a" * 64, 1))):
        assert not torch.equal(flat(1, base), flat(seed, about))


def test_models_that_permutations_turn_into_one_another_are_aligned(zoo):
    member = zoo.member("ft-a-sgd")
    reference = member.checkpoint().state_dict()
    data = Checkpoints(zoo, "member = 'ft-a-sgd'", form="layers", transform=(Permute(9), Align(reference)))
    moved = Checkpoints(zoo, "member = 'ft-a-sgd'", form="layers", transform=Permute(9))[0][0]
    found = data[0][0]
    assert not torch.equal(moved["blocks.0.mlp.fc1.weight"], reference["blocks.0.mlp.fc1.weight"])
    for name, tensor in reference.items():
        assert torch.equal(found[name], tensor), name


def test_alignment_needs_one_shape(zoo):
    reference = zoo.member("ft-a-mlp").checkpoint().state_dict()
    data = Checkpoints(zoo, LINEAR, transform=Align(reference))
    with pytest.raises(InputError, match=r"'head\.0\.weight' is missing, the reference's \[5, 8\]"):
        data[0]


def test_any_function_is_a_transform(zoo):
    data = Checkpoints(zoo, LINEAR, part="head", transform=lambda params, about: {n: 0 * t for n, t in params.items()})
    x, y = data[0]
    assert y == {} and x.shape == (LINEAR_HEAD.outputs * 9,) and (x == 0).all()
