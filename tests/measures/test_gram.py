"""Distances from inner products: against differences in float64, where that is easy and where it is hard."""

import numpy as np
import pytest

from vitzoo.measures.gram import BLOCK, Gram, distances

WIDTH = BLOCK * 2 + 333


def family(steps: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Three parents of length about √N, and children of each moved by these steps."""
    random = np.random.default_rng(0)
    parents = random.standard_normal((3, WIDTH))
    rows, reference = [*parents], [-1] * 3
    for p, parent in enumerate(parents):
        for step in steps:
            rows.append(parent + step * random.standard_normal(WIDTH))
            reference.append(p)
    return np.array(rows, np.float32), np.array(reference)


def exact(x: np.ndarray) -> np.ndarray:
    wide = x.astype(np.float64)
    return np.array([[np.linalg.norm(a - b) for b in wide] for a in wide])


def measured(x: np.ndarray, reference: np.ndarray, cut: int = 1000) -> tuple[np.ndarray, list[tuple[int, int]]]:
    gram = Gram(reference)
    gram.add(np.ascontiguousarray(x[:, :cut]))
    gram.add(np.ascontiguousarray(x[:, cut:]))
    return distances(gram.products, gram.squares, reference)


@pytest.mark.parametrize("steps", [(0.3, 0.1), (0.002, 0.002), (1e-4, 0.3), (1e-6,)])
def test_agrees_with_differences(steps: tuple[float, ...]) -> None:
    x, reference = family(steps)
    found, close = measured(x, reference)
    assert close == []
    np.testing.assert_allclose(found, exact(x), rtol=1e-6)
    assert (found == found.T).all() and (np.diag(found) == 0).all()


def test_a_child_a_five_hundredth_away_is_exact() -> None:
    """An SGD child, 0.2 % of the norm from its parent: the squared norms agree in five digits, the distance in nine."""
    x, reference = family((0.002,))
    found, _ = measured(x, reference)
    children = np.arange(3, 6)
    np.testing.assert_allclose(found[children, reference[children]], exact(x)[children, reference[children]], rtol=1e-9)
    wide = x.astype(np.float32)
    naive = (wide**2).sum(1)[3] + (wide**2).sum(1)[0] - 2 * (wide[3] @ wide[0])
    assert abs(float(naive) ** 0.5 / exact(x)[3, 0] - 1) > 1e-4  # what squares before differences would have given


def test_pairs_that_cannot_be_known_are_named() -> None:
    x, reference = family((0.1,))
    twin = np.concatenate([x, x[3:4], x[1:2] * np.float32(1 + 1e-5)])
    _, close = measured(twin, np.array([*reference, 0, -1]))
    assert close == [(1, 7), (3, 6)]


def test_without_references_nothing_is_assumed() -> None:
    x, _ = family((0.3,))
    found, close = measured(x, np.full(len(x), -1))
    known = np.ones_like(found, bool)
    for i, j in close:
        known[i, j] = known[j, i] = False
    np.testing.assert_allclose(found[known], exact(x)[known], rtol=1e-5)


def test_lengths_only() -> None:
    x, reference = family((0.1,))
    gram = Gram(reference, pairwise=False)
    gram.add(x)
    assert gram.products.size == 0
    np.testing.assert_allclose(np.sqrt(gram.squares[3:]), exact(x)[[3, 4, 5], [0, 1, 2]], rtol=1e-8)
