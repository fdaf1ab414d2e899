"""Linear CKA: against the definition summed out, values of another implementation, and what CKA must not see."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from vitzoo.errors import InputError
from vitzoo.measures.representation.cka import cka, minibatches, signatures, similarity_matrix, u_centred


def waves(n: int, d: int, k: float) -> Tensor:
    """Features by a formula, so that other implementations can be given the same ones."""
    i, j = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(d, dtype=torch.float64)[None]
    return torch.sin(k * i + (j + 1) * (i + 1) * 0.7 * k) + 0.1 * torch.cos(i * j)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hsic(x: Tensor, y: Tensor) -> float:
    """HSIC₁ as Song et al. (2012) define it: the mean over all ordered quadruples of different images."""
    k, m = (x @ x.T).numpy(), (y @ y.T).numpy()
    terms = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(len(k)), 4)]
    return float(np.mean(terms))


def biased(x: Tensor, y: Tensor) -> float:
    """CKA as Kornblith et al. (2019) wrote it first."""
    x, y = x - x.mean(0), y - y.mean(0)
    return float((x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()))


def test_against_the_sum_over_all_quadruples() -> None:
    x, y = noise(7, 3), noise(7, 11, seed=1)
    expected = hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))
    assert cka(x, y) == pytest.approx(expected, rel=1e-10)
    assert float((u_centred(x) * u_centred(y)).sum()) / (7 * 4) == pytest.approx(hsic(x, y), rel=1e-10)


def test_minibatches_are_averaged_before_the_ratio() -> None:
    x, y = noise(13, 3), noise(13, 5, seed=1) + 0.5
    parts = [slice(0, 7), slice(7, 13)]
    xy, xx, yy = (sum(hsic(a[p], b[p]) for p in parts) for a, b in ((x, y), (x, x), (y, y)))
    assert cka(x, y, batch=7) == pytest.approx(xy / np.sqrt(xx * yy), rel=1e-10)


def test_minibatches_have_the_mean_of_the_whole() -> None:
    """HSIC₁ is a U-statistic: its mean over all subsets of one size is its value on the whole set."""
    x, y = noise(7, 3), noise(7, 4, seed=1)
    parts = [hsic(x[list(subset)], y[list(subset)]) for subset in combinations(range(7), 5)]
    assert np.mean(parts) == pytest.approx(hsic(x, y), rel=1e-10)


def test_values_of_ckatorch() -> None:
    """Made with ckatorch 1.0.3: cka_batch on one and on two minibatches; cka_base(unbiased=True) gives the first."""
    x, y = waves(24, 5, 1.0), waves(24, 40, 1.3)
    z = x @ torch.linspace(-1, 1, 15, dtype=torch.float64).view(5, 3) + 0.2 * waves(24, 3, 0.4)
    assert cka(x, y) == pytest.approx(0.3200398644291992, rel=1e-12)
    assert cka(x, y, 12) == pytest.approx(0.26774254170640993, rel=1e-12)
    assert cka(x, z) == pytest.approx(0.14316064869381429, rel=1e-12)
    assert cka(x, z, 12) == pytest.approx(0.0485429160086777, rel=1e-12)
    assert biased(x, y) == pytest.approx(0.44465637956267107, rel=1e-12)  # cka_base(unbiased=False)


def test_rotation_scale_and_offset_are_not_seen() -> None:
    x, y = noise(40, 6), noise(40, 6, seed=1)
    turn = torch.linalg.qr(noise(6, 6, seed=2))[0]
    assert cka(x, x) == pytest.approx(1, abs=1e-12)
    assert cka(x, -3 * x @ turn + 1e3) == pytest.approx(1, abs=1e-9)
    assert cka(x @ turn, 0.1 * y) == pytest.approx(cka(x, y), abs=1e-12)
    stretched = x * torch.tensor([10.0, 1, 1, 1, 1, 1])
    assert cka(x, stretched) < 0.9  # but a change of the proportions is


@pytest.mark.parametrize(("n", "p"), [(60, 10), (60, 300)])
def test_independent_features_have_none(n: int, p: int) -> None:
    """Around 0 also with more features than images, where the biased estimate finds them alike."""
    pairs = [(noise(n, p, seed=2 * i), noise(n, p, seed=2 * i + 1)) for i in range(60)]
    found = np.array([cka(x, y) for x, y in pairs])
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean()) < 4 * error and error < 0.01
    assert np.mean([biased(x, y) for x, y in pairs]) > (0.1 if p == 10 else 0.8)


def test_features_that_do_not_differ_have_no_similarity() -> None:
    constant, x = torch.ones(8, 5) * 0.3, noise(8, 4).float()
    assert torch.equal(u_centred(constant + 1e-8), torch.zeros(8, 8, dtype=torch.float64))
    rows = torch.stack([signatures([constant]), signatures([x])]).numpy()
    matrix = similarity_matrix(rows)
    assert np.isnan(matrix[0]).all() and np.isnan(matrix[:, 0]).all() and matrix[1, 1] == 1
    assert np.isnan(cka(constant, x))


def test_all_pairs_are_each_pair() -> None:
    members = [noise(26, d, seed=d) for d in (2, 5, 30)]
    parts = minibatches(26, 10)
    assert [len(part) for part in parts] == [9, 9, 8]
    rows = torch.stack([signatures(x[part] for part in parts) for x in members])
    found = similarity_matrix(rows.float().numpy())
    expected = [[cka(x, y, 10) for y in members] for x in members]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found == found.T).all() and (np.diagonal(found) == 1).all()


def test_a_stack_is_signed_as_its_members() -> None:
    stack = noise(3, 2, 12, 5)
    together = signatures([stack[..., :6, :], stack[..., 6:, :]])
    assert together.shape == (3, 2, 30)
    torch.testing.assert_close(together[1, 1], signatures([stack[1, 1, :6], stack[1, 1, 6:]]))


def test_impossible_requests() -> None:
    with pytest.raises(InputError, match="at least 4"):
        minibatches(10, 3)
    with pytest.raises(InputError, match="at least 4"):
        cka(noise(3, 2), noise(3, 2))
    with pytest.raises(InputError, match="8 and 9 images"):
        cka(noise(8, 2), noise(9, 2))
    assert similarity_matrix(np.zeros((0, 5), np.float32)).shape == (0, 0)
