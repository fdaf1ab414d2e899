"""Methods on planted families, where what they should find is known."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import evidence, forest, write
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kurtosis

from vitzoo.lineage.case import Case
from vitzoo.lineage.gather import gather
from vitzoo.lineage.methods.arborescence import arborescence
from vitzoo.lineage.methods.families import correlation, families
from vitzoo.lineage.methods.mother import coordinates
from vitzoo.lineage.methods.official import differences
from vitzoo.lineage.methods.spider import spider
from vitzoo.lineage.methods.tree import hung, spanning
from vitzoo.lineage.models import open_models
from vitzoo.lineage.recover import BLIND, recover
from vitzoo.lineage.truth import as_parents


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 4), st.integers(2, 6))
def test_planted_forests_are_recovered_exactly(seed, trees, runs, steps):
    x, parents = forest(seed, trees, runs, steps)
    assert spider(evidence(x)).tolist() == parents.tolist()


def test_official_mother_depends_on_the_order_and_returns_a_forest(tmp_path):
    """Its distance is the largest signed difference of the earlier model from the later."""
    x, _ = forest(0, 3, 2, 4)
    largest = differences([x]).largest[0]
    assert not np.allclose(largest, largest.T)
    models = open_models(write(tmp_path, x))
    for method in ("official", "official-rising"):
        as_parents(recover(Case(models, 3), method))


@pytest.mark.parametrize("method", [name for name in BLIND if not name.startswith("official")])
def test_every_method_returns_a_forest_whatever_the_order(tmp_path, method):
    x, _ = forest(0, 3, 2, 4)
    found = as_parents(recover(Case(open_models(write(tmp_path, x)), 3), method))
    order = np.random.default_rng(1).permutation(len(x))
    other = tmp_path / "other"
    other.mkdir()
    again = recover(Case(open_models(write(other, x[order])), 3), method)
    place = np.argsort(order)
    assert again.tolist() == [-1 if found[i] < 0 else place[found[i]] for i in order]


def test_evidence_is_what_plain_arithmetic_gives(tmp_path):
    x, _ = forest(3, 2, 2, 3)
    x[1] = x[0] + 1e-4  # lost by inner products of the weights themselves
    plain, streamed = evidence(x.astype(np.float32)), gather(open_models(write(tmp_path, x)))
    np.testing.assert_allclose(streamed.squared, plain.squared, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(streamed.moments, plain.moments, rtol=1e-6)
    own = x[:, :4096].astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(streamed.kurtosis(np.arange(8) == 0)[0], kurtosis(own, axis=1), rtol=1e-5)


def test_points_have_the_distances_they_were_made_from():
    x = np.random.default_rng(0).normal(size=(9, 5))
    squared = squareform(pdist(x) ** 2)
    np.testing.assert_allclose(squareform(pdist(coordinates(squared)) ** 2), squared, atol=1e-9)


def test_families_are_what_began_alike():
    x, _ = forest(0, 3, 2, 4)
    assert len(set(families(evidence(x)))) == 3
    np.testing.assert_allclose(correlation(evidence(x))[0, 0], 1)


def test_a_model_of_no_family_stays_alone():
    x, parents = forest(0, 2, 2, 3)
    x = np.vstack([x, np.random.default_rng(9).normal(size=x.shape[1])])
    assert spider(evidence(x)).tolist() == [*parents, -1]
    assert spider(evidence(x[-1:])).tolist() == [-1]


@given(st.integers(0, 10**6), st.integers(2, 7))
@settings(max_examples=50, deadline=None)
def test_the_cheapest_tree_is_the_cheapest(seed, n):
    weights = np.random.default_rng(seed).random((n, n))
    np.fill_diagonal(weights, np.inf)
    found = arborescence(weights)
    cost = sum(weights[p, c] for c, p in enumerate(found) if p >= 0)
    graph = networkx.from_numpy_array(np.where(np.isfinite(weights), weights, 0), create_using=networkx.DiGraph)
    best = networkx.minimum_spanning_arborescence(graph).size("weight")
    assert cost == pytest.approx(best)
    assert (found == -1).sum() == 1


def test_equal_points_are_joined():
    squared = squareform(pdist(np.array([[0.0], [0.0], [1.0]])) ** 2)
    assert spanning(squared).sum() == 4
    assert (hung(spanning(squared), 2) >= 0).sum() == 2


def test_a_head_of_its_own_marks_the_root():
    """Whatever the weights say: a new head is put on where fine-tuning begins."""
    x, parents = forest(3, 1, 2, 3)
    root = int(np.flatnonzero(parents == -1)[0])
    heads = np.where(np.arange(len(x)) == root, 1, 0)
    assert spider(evidence(x), heads).tolist() == parents.tolist()
    leaf = int(np.setdiff1d(np.arange(len(x)), parents)[0])
    other = np.where(np.arange(len(x)) == leaf, 1, 0)
    assert spider(evidence(x), other)[leaf] == -1
