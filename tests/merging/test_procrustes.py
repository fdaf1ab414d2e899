"""Alignment undoes what was planted, changes no function, and is made of the right pieces."""

from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from small_vits import HEADS, KINDS, D, distance, logits, model, pictures, planted, rotation

from vitzoo.merging.across import matching, procrustes, weights
from vitzoo.merging.across.evidence import Moments, gather
from vitzoo.merging.across.forward import activations
from vitzoo.merging.symmetry.balance import balance, canonical


def prepared(params):
    return balance(canonical(params), HEADS)


def by_activations(a, b):
    (evidence,) = gather(a, [b], [pictures(24)], HEADS)
    return procrustes.align(a, b, evidence, HEADS)


def by_both(a, b):
    (evidence,) = gather(a, [b], [pictures(24)], HEADS)
    return weights.refine(a, b, evidence, HEADS)


def by_weights(a, b):
    return weights.align(a, b, HEADS)


@pytest.mark.parametrize("align", [by_activations, by_both])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_planted_is_undone(align, kind, seed):
    reference, other = prepared(model(kind, seed)), prepared(planted(model(kind, seed), seed))
    assert distance(reference, other) > 1
    aligned = align(reference, other).apply(other)
    for name, tensor in reference.items():
        torch.testing.assert_close(aligned[name], tensor, rtol=0, atol=1e-6)
    middle = {name: (tensor + aligned[name]) / 2 for name, tensor in reference.items()}
    assert (logits(kind, middle) - logits(kind, reference)).abs().max() < 1e-6


@pytest.mark.parametrize("align", [by_activations, by_both, by_weights])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_aligned_with_itself_already_and_another_keeps_its_function(align, kind):
    one, two = prepared(model(kind, 1)), prepared(model(kind, 2))
    for name, tensor in align(one, one).apply(one).items():
        torch.testing.assert_close(tensor, one[name], rtol=0, atol=1e-8)
    aligned = align(one, two).apply(two)
    assert (logits(kind, aligned) - logits(kind, model(kind, 2))).abs().max() < 1e-9
    assert distance(aligned, one) < distance(two, one)


@pytest.mark.parametrize("kind", KINDS)
def test_sweeps_by_weights_bring_models_nearer_every_time(kind):
    one, two = prepared(model(kind, 1)), prepared(model(kind, 2))
    found = [distance(one, weights.align(one, two, HEADS, sweeps).apply(two)) for sweeps in range(6)]
    assert all(after <= before + 1e-9 for before, after in pairwise(found))
    assert found[-1] < 0.9 * found[0]


def test_weights_alone_undo_what_was_planted_near_by():
    """Without activations the sweeps find the way back from a rotation that is not too far."""
    reference = prepared(model("linear", 1))
    small = torch.linalg.matrix_exp(0.05 * (rotation(1, D - 1) - rotation(1, D - 1).mT))
    from vitzoo.merging.symmetry.residual import keeps_ones, rotate

    other = rotate(reference, keeps_ones(small))
    aligned = weights.align(reference, other, HEADS).apply(other)
    assert distance(reference, aligned) < 1e-6 < distance(reference, other)


def test_the_forward_pass_is_that_of_timm():
    params = prepared(model("linear", 4))
    shown = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    found = activations(params, shown, HEADS).norms[-1].view(3, 17, D)[:, 0] @ params["head.weight"].T
    torch.testing.assert_close(found + params["head.bias"], logits("linear", params))


def test_evidence_does_not_depend_on_batches_and_counts_every_token():
    one, two = prepared(model("mlp", 1)), prepared(model("mlp", 2))
    (whole,), (parts,) = (gather(one, [two], each, HEADS) for each in ([pictures(10)], pictures(10).split(3)))
    assert whole.norms[0].count == parts.norms[0].count == 10 * 17 and whole.hidden[0].count == 10
    for kind in ("norms", "queries", "keys", "values", "neurons", "hidden"):
        for a, b in zip(getattr(whole, kind), getattr(parts, kind), strict=True):
            torch.testing.assert_close(a.correlations(), b.correlations())


def test_correlations_are_those_of_numpy():
    a, b = (pictures(50, seed)[:, 0, 0, :5] for seed in (1, 2))
    a[:, 3] = 7.0  # a unit that does not vary goes with nothing
    found = Moments.none(5)
    found.add(a[:20], b[:20])
    found.add(a[20:], b[20:])
    with np.errstate(invalid="ignore"):
        expected = np.corrcoef(a.T, b.T)[:5, 5:]
    expected[3] = 0
    np.testing.assert_allclose(found.correlations(), expected, atol=1e-9)


def test_polar_is_nearest_among_orthogonal_ones():
    x = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    nearest = matching.polar(x)
    torch.testing.assert_close(nearest @ nearest.mT, torch.eye(5, dtype=torch.float64))
    for seed in range(50):
        assert (x - nearest).norm() <= (x - rotation(seed, 5)).norm()


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_the_order_is_the_best_of_all(n):
    likeness = torch.rand(n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    best = max(permutations(range(n)), key=lambda p: sum(float(likeness[i, j]) for i, j in enumerate(p)))
    assert matching.order(likeness).tolist() == list(best)
