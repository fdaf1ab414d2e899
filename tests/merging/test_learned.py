"""What is learned are symmetries: ends keep their functions, and mixtures get better."""

import torch
from small_vits import HEADS, D, arch, logits, model, order
from torch.nn.functional import cross_entropy

from vitzoo.merging.forward import activations
from vitzoo.merging.learned import learn, mixture, rotations
from vitzoo.merging.procrustes import prepared
from vitzoo.model.vit import forward


def test_rotations_are_orthogonal_and_keep_the_ones():
    found = rotations(torch.randn(3, D, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    ones = torch.ones(D, dtype=torch.float64)
    torch.testing.assert_close(found @ found.mT, torch.eye(D, dtype=torch.float64).expand(3, D, D))
    torch.testing.assert_close(found @ ones, ones.expand(3, D))
    torch.testing.assert_close(rotations(torch.zeros(1, D, D)), torch.eye(D)[None])


def test_mixtures_get_better_and_ends_stay():

    models = [prepared(model("linear", seed), HEADS) for seed in (1, 2)]
    generator = torch.Generator().manual_seed(3)
    images, targets = torch.randn(32, 3, 16, 16, generator=generator), order(0, 32) % 7

    def loss(params, images, targets):
        outputs = forward({k: v[None] for k, v in params.items()}, images[None], arch("linear"), kernels="plain")
        return cross_entropy(outputs[0], targets)

    def middle(found):
        shares = torch.full((2,), 0.5)
        return float(loss({k: v.float() for k, v in mixture(found, shares).items()}, images, targets))

    found = learn(models, [(images, targets)] * 30, loss, lr=1e-2)
    assert middle(found) < middle(models) - 0.05
    for before, after in zip(models, found, strict=True):
        assert (logits("linear", after) - logits("linear", before)).abs().max() < 1e-9
    assert activations(found[1], images.double(), HEADS).norms[0].shape == (32, 17, D)
