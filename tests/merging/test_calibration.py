"""Products, calibration and paths against closed forms, NumPy and what models say themselves."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_vits import HEADS, KINDS, D, logits, model, pictures

from vitzoo.merging.across import calibration, path, products
from vitzoo.merging.symmetry import inner
from vitzoo.merging.symmetry.balance import balance, canonical


def prepared(kind, seed):
    return balance(canonical(model(kind, seed)), HEADS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit", [calibration.repair, calibration.least_squares])
def test_equal_models_are_left_alone(kind, fit):
    one = prepared(kind, 1)
    found = fit(one, [one, one], pictures(6), HEADS)
    assert (logits(kind, found) - logits(kind, one)).abs().max() < 1e-9


def test_ridge_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import Ridge

    x, before = F.pad(pictures(40)[:, 0, 0, :6], (0, 1), value=1.0), pictures(1, 7)[0, 0, :3, :7]
    outputs = (
        pictures(40, 8)[None, :, 0, 1, :3].repeat(2, 1, 1)
        * torch.tensor([1.0, 3.0], dtype=torch.float64)[:, None, None]
    )
    found = calibration.regressed(before, x, outputs)
    ridge = calibration.RIDGE * float((x**2).sum(dim=0).mean())
    theirs = Ridge(alpha=ridge, fit_intercept=False).fit(x, outputs.mean(dim=0) - x @ before.mT)
    np.testing.assert_allclose(found, before + torch.from_numpy(theirs.coef_), atol=1e-10)


def test_repair_gives_back_mean_and_length():
    x, before = F.pad(pictures(40)[:, 0, 0, :6], (0, 1), value=1.0), pictures(1, 7)[0, 0, :3, :7]
    outputs = torch.stack([pictures(40, 8)[:, 0, 1, :3] + 2, 3 * pictures(40, 9)[:, 0, 1, :3]])
    found = x @ calibration.rescaled(before, x, outputs).mT
    torch.testing.assert_close(found.mean(dim=0), outputs.mean(dim=(0, 1)))
    length = [float(y.var(dim=0, unbiased=False).sum()) ** 0.5 for y in (found, *outputs)]
    assert length[0] == pytest.approx((length[1] + length[2]) / 2)


def test_calibration_brings_an_average_to_what_models_say():
    ends = [prepared("linear", seed) for seed in (1, 2)]
    average = products.mean(ends, HEADS)
    wanted = sum(logits("linear", each) for each in ends) / 2
    images = torch.cat([pictures(400), torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(99)).double()])

    def miss(params):
        return float((logits("linear", params) - wanted).square().mean())

    fitted = calibration.least_squares(average, ends, images, HEADS)
    assert miss(fitted) < 0.5 * miss(average)


def test_the_mean_of_products_is_the_best_of_its_rank():
    """Of equal models it is the model; of others, one head's scores are the best approximation of their mean's."""
    one, two = prepared("linear", 1), prepared("linear", 2)
    same = products.mean([one, one], HEADS)
    assert (logits("linear", same) - logits("linear", one)).abs().max() < 1e-9

    def scores(params):
        weight, bias = inner.taken(params, 0, HEADS)
        return torch.cat([weight[0], bias[0][..., None]], dim=-1).mT @ weight[1]

    found, mean = scores(products.mean([one, two], HEADS)), (scores(one) + scores(two)) / 2
    u, s, v = torch.linalg.svd(mean)
    width = D // HEADS
    best = u[..., :width] * s[:, None, :width] @ v[:, :width]
    torch.testing.assert_close(found, best)


def test_shares_of_products():
    one, two = prepared("linear", 1), prepared("linear", 2)
    found = products.mean([one, two], HEADS, [1.0, 0.0])
    assert (logits("linear", found) - logits("linear", one)).abs().max() < 1e-9


def test_barriers_are_measured_from_the_plane_of_the_models():
    shares = path.between(2, 11)
    alphas = shares[:, 1]
    hill = path.Path(shares, 1 + alphas + 4 * alphas * (1 - alphas), 0.9 - alphas * (1 - alphas), 100)
    assert hill.loss_barrier == pytest.approx(1) and hill.accuracy_barrier == pytest.approx(0.25)
    assert shares[hill.centre].tolist() == [0.5, 0.5]
    valley = path.Path(shares, 1 - alphas * (1 - alphas), np.full(11, 0.9), 100)
    assert valley.loss_barrier == 0 and valley.accuracy_barrier == pytest.approx(0, abs=1e-15)
    many = path.between(3, 20)
    assert len(many) == 20 and np.allclose(many.sum(axis=1), 1) and (many >= 0).all()
    np.testing.assert_array_equal(many[:3], np.eye(3))
