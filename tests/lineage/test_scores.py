"""Scores of forests: against scikit-learn, and the numbers the paper prints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from vitzoo.lineage.scores import components, interval, score


def adjacency(parents):
    found = np.zeros((len(parents),) * 2)
    for child, parent in enumerate(parents):
        if parent >= 0:
            found[parent, child] = 1
    return found


@st.composite
def forests(draw):
    n = draw(st.integers(2, 12))
    pair = [[draw(st.integers(-1, i - 1)) for i in range(n)] for _ in range(2)]
    return np.array(pair[0]), np.array(pair[1])


@given(forests())
def test_they_are_scikit_learns_on_the_adjacency_matrix(pair):
    found, true = pair
    scores = score(found, true, components(true))
    a, b = adjacency(found).ravel(), adjacency(true).ravel()
    assert scores.accuracy == pytest.approx(accuracy_score(b, a))
    if a.any() or b.any():
        assert scores.f1 == pytest.approx(f1_score(b, a))
        wide = adjacency(found) + adjacency(found).T, adjacency(true) + adjacency(true).T
        assert scores.undirected == pytest.approx(f1_score(wide[1].ravel(), wide[0].ravel()))
    assert scores.low <= scores.high


@pytest.mark.parametrize(
    ("right", "f1", "accuracy"),
    [(98, 0.8167, 0.9974), (11, 0.0917, 0.9871), (10, 0.0833, 0.9870), (9, 0.0750, 0.9869), (0, 0.0, 0.9858)],
)
def test_table_3_of_the_paper_is_ten_trees_of_thirteen(right, f1, accuracy):
    true = np.array([-1 if i % 13 == 0 else i - 1 for i in range(130)])
    children = np.flatnonzero(true >= 0)
    found = true.copy()
    for child in children[right:]:
        found[child] = (true[child] + 13) % 130  # of another tree, so never right
    scores = score(found, true, np.arange(130) // 13)
    assert scores.f1 == pytest.approx(f1, abs=5e-5)
    assert scores.accuracy == pytest.approx(accuracy, abs=5e-5)


def test_an_interval_of_equal_trees_is_a_point():
    true = np.array([-1, 0, 1, -1, 3, 4])
    assert interval(np.array([-1, 0, 0, -1, 3, 3]), true, np.array([0, 0, 0, 1, 1, 1])) == (0.5, 0.5)
