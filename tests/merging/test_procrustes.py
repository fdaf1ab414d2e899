"""Alignment undoes what was planted, changes no function, and is made of the right pieces."""

from itertools import permutations

import numpy as np
import pytest
import torch
from small_vits import DEPTH, HEADS, KINDS, D, logits, mixing, model, order, rotation

from vitzoo.merging import procrustes
from vitzoo.merging.forward import activations
from vitzoo.merging.procrustes import align, polar, prepared
from vitzoo.merging.symmetry import inner, residual, units


@pytest.fixture(scope="module")
def images():
    return torch.randn(24, 3, 16, 16, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def planted(params, seed):
    """Change a model by one of every symmetry."""
    found = residual.rotate(residual.fold(params), residual.keeps_ones(rotation(seed, D - 1)))
    for block in range(DEPTH):
        found = units.permute_mlp(found, block, order(seed + block, 2 * D))
        found = units.permute_heads(found, block, order(seed + block, HEADS))
        found = inner.mix_keys(found, block, mixing(seed + block, D // HEADS))
        found = inner.mix_values(found, block, mixing(seed + block + 1, D // HEADS))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_planted_is_undone(kind, seed, images):
    reference = prepared(model(kind, seed), HEADS)
    other = prepared(planted(model(kind, seed), seed), HEADS)
    assert (other["blocks.0.attn.qkv.weight"] - reference["blocks.0.attn.qkv.weight"]).abs().max() > 0.1
    aligned = align(reference, other, images, HEADS)
    for name, tensor in reference.items():
        torch.testing.assert_close(aligned[name], tensor, rtol=0, atol=1e-6)
    middle = {name: (tensor + aligned[name]) / 2 for name, tensor in reference.items()}
    assert (logits(kind, middle) - logits(kind, reference)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_aligned_with_itself_already_and_another_keeps_its_function(kind, images):
    one, two = prepared(model(kind, 1), HEADS), prepared(model(kind, 2), HEADS)
    for name, tensor in align(one, one, images, HEADS).items():
        torch.testing.assert_close(tensor, one[name], rtol=0, atol=1e-8)
    aligned = align(one, two, images, HEADS)
    assert (logits(kind, aligned) - logits(kind, model(kind, 2))).abs().max() < 1e-9
    before, after = (sum(((x[name] - one[name]) ** 2).sum() for name in one) for x in (two, aligned))
    assert after < before


def test_the_forward_pass_is_that_of_timm(images):
    params = prepared(model("linear", 4), HEADS)
    shown = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    found = activations(params, shown, HEADS).norms[-1][:, 0] @ params["head.weight"].T + params["head.bias"]
    torch.testing.assert_close(found, logits("linear", params))


def test_polar_is_nearest_among_orthogonal_ones():
    x = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    nearest = polar(x)
    torch.testing.assert_close(nearest @ nearest.mT, torch.eye(5, dtype=torch.float64))
    for seed in range(50):
        assert (x - nearest).norm() <= (x - rotation(seed, 5)).norm()


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_the_order_is_the_best_of_all(n):
    likeness = torch.rand(n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    best = max(permutations(range(n)), key=lambda p: sum(float(likeness[i, j]) for i, j in enumerate(p)))
    assert procrustes.order(likeness).tolist() == list(best)
    np.testing.assert_allclose(likeness[range(n), best].sum(), likeness[range(n), procrustes.order(likeness)].sum())
