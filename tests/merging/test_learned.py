"""What is learned are symmetries: ends keep their functions, and mixtures get better."""

import torch
from small_vits import HEADS, D, arch, logits, model, order
from torch.nn.functional import cross_entropy

from vitzoo.merging.across.learned import learn, rotations, tuned
from vitzoo.merging.across.mixture import mixture
from vitzoo.merging.symmetry.balance import balance, canonical
from vitzoo.merging.symmetry.residual import rotate
from vitzoo.model.vit import forward


def loss(params, images, targets):
    outputs = forward({k: v[None] for k, v in params.items()}, images[None], arch("linear"), kernels="plain")
    return cross_entropy(outputs[0], targets)


def lesson():
    return torch.randn(32, 3, 16, 16, generator=torch.Generator().manual_seed(3)), order(0, 32) % 7


def middle(models):
    average = mixture(models, torch.full((2,), 0.5))
    return float(loss({k: v.float() for k, v in average.items()}, *lesson()))


def test_rotations_are_orthogonal_and_keep_the_ones():
    found = rotations(torch.randn(3, D, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    ones = torch.ones(D, dtype=torch.float64)
    torch.testing.assert_close(found @ found.mT, torch.eye(D, dtype=torch.float64).expand(3, D, D))
    torch.testing.assert_close(found @ ones, ones.expand(3, D))
    torch.testing.assert_close(rotations(torch.zeros(1, D, D)), torch.eye(D)[None])


def test_mixtures_get_better_and_ends_stay():
    models = [balance(canonical(model("linear", seed)), HEADS) for seed in (1, 2)]
    turns = learn(models, [lesson()] * 30, loss, lr=1e-2)
    found = [rotate(each, turn) for each, turn in zip(models, turns, strict=True)]
    assert middle(found) < middle(models) - 0.05
    for before, after in zip(models, found, strict=True):
        assert (logits("linear", after) - logits("linear", before)).abs().max() < 1e-9
    torch.testing.assert_close(found[0], models[0])


def test_tuning_trains_every_weight_and_leaves_the_model_given():
    given = {name: tensor.float() for name, tensor in model("linear", 1).items()}
    before = {name: tensor.clone() for name, tensor in given.items()}
    found = tuned(given, [lesson()] * 10, loss, lr=1e-2)
    assert float(loss(found, *lesson())) < float(loss(given, *lesson())) - 0.1
    torch.testing.assert_close(given, before, rtol=0, atol=0)
    assert all((found[name] != given[name]).any() and not found[name].requires_grad for name in given)
