"""From distances to points: against scikit-learn's PCA, SciPy's distances and closed forms."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.decomposition import PCA

from vitzoo.analysis.figures.embedding import classical_scaling, comparable, neighbours
from vitzoo.errors import InputError

NAN = float("nan")


def of(vectors: np.ndarray) -> np.ndarray:
    return squareform(pdist(vectors))


@pytest.mark.parametrize(("n", "dim"), [(30, 4), (12, 200)])
def test_equals_pca_of_the_vectors(n: int, dim: int) -> None:
    vectors = np.random.default_rng(1).standard_normal((n, dim)) * np.linspace(3, 1, dim)
    found = classical_scaling(of(vectors))
    pca = PCA().fit(vectors)
    rank = min(n - 1, dim)
    assert found.scores.shape == (n, rank)
    np.testing.assert_allclose(found.shares, pca.explained_variance_ratio_[:rank], rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.scores), np.abs(pca.transform(vectors)[:, :rank]), atol=1e-8)


def test_keeps_all_distances() -> None:
    vectors = np.random.default_rng(2).standard_normal((25, 60))
    scores = classical_scaling(of(vectors)).scores
    np.testing.assert_allclose(cdist(scores, scores), of(vectors), atol=1e-9)
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-12)


def test_single_precision_distances_do() -> None:
    vectors = np.random.default_rng(3).standard_normal((25, 60))
    exact, rounded = classical_scaling(of(vectors)), classical_scaling(of(vectors).astype("f4"))
    np.testing.assert_allclose(rounded.shares[:5], exact.shares[:5], rtol=1e-5)


def test_signs_do_not_depend_on_the_solver() -> None:
    scores = classical_scaling(of(np.random.default_rng(4).standard_normal((9, 3)))).scores
    assert (scores[np.abs(scores).argmax(0), np.arange(3)] > 0).all()


def test_points_on_a_line_have_one_axis() -> None:
    found = classical_scaling(of(np.array([[0.0], [1.0], [5.0]])))
    np.testing.assert_allclose(found.scores, [[-2], [-1], [3]], atol=1e-12)
    np.testing.assert_allclose(found.shares, [1])


def test_equal_points_and_single_points_have_no_axis() -> None:
    for distances in (np.zeros((4, 4)), np.zeros((1, 1))):
        found = classical_scaling(distances)
        assert found.scores.shape == (len(distances), 0)
        assert found.shares.shape == (0,)


def test_members_of_other_shapes_are_left_out() -> None:
    vectors = np.random.default_rng(5).standard_normal((7, 3))
    distances = of(vectors)
    small, broken = [1, 4], 6
    for i in range(7):
        for j in range(7):
            if (i in small) != (j in small) or broken in (i, j):
                distances[i, j] = NAN
    assert comparable(distances).tolist() == [0, 2, 3, 5]
    found = classical_scaling(distances)
    assert found.index.tolist() == [0, 2, 3, 5]
    np.testing.assert_allclose(cdist(found.scores, found.scores), of(vectors[[0, 2, 3, 5]]), atol=1e-9)


def test_no_distance_is_refused() -> None:
    for distances in (np.full((3, 3), NAN), np.zeros((0, 0))):
        with pytest.raises(InputError, match="no map"):
            classical_scaling(distances)


def test_neighbours_are_kept_and_repeat() -> None:
    """Three families far apart stay families, and the picture is the same each time."""
    random = np.random.default_rng(6)
    vectors = np.concatenate([100 * random.standard_normal(20) + random.standard_normal((15, 20)) for _ in range(3)])
    scores = classical_scaling(of(vectors)).scores
    points = neighbours(scores, family=15)
    assert points is not None
    between = cdist(points, points)
    np.fill_diagonal(between, np.inf)
    assert (between.argmin(1) // 15 == np.arange(45) // 15).all()
    again = neighbours(scores, family=15)
    assert again is not None
    np.testing.assert_array_equal(points, again)


def test_families_do_not_shrink_to_points() -> None:
    random = np.random.default_rng(7)
    vectors = np.concatenate([100 * random.standard_normal(20) + random.standard_normal((25, 20)) for _ in range(4)])
    scores = classical_scaling(of(vectors)).scores
    extents = []
    for family in (25, 120):  # neighbours within a family, and beyond it
        points = neighbours(scores, family)
        assert points is not None
        extents.append(np.ptp(points[:25], axis=0).max() / np.ptp(points, axis=0).max())
    assert extents[0] > 2 * extents[1]


def test_few_points_have_no_neighbours() -> None:
    assert neighbours(np.zeros((7, 3)), 3) is None
    assert neighbours(np.arange(20.0)[:, None], 5) is None
    assert neighbours(np.random.default_rng(8).standard_normal((8, 3)), 2) is not None
