"""Moments against scipy, merging as a law, and the identities that tie scopes together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitzoo.errors import InputError
from vitzoo.measures import moments, powers, scopes
from vitzoo.measures.weights import in_scope


def skewed(*shape: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.standard_normal(shape) ** 3 * 0.1 + 1.0).astype(np.float32)


@pytest.mark.parametrize("n", [5, 1000, moments.BLOCK, moments.BLOCK * 2 + 17])
def test_agrees_with_scipy(n: int) -> None:
    x = skewed(3, n)
    found = moments.statistics(moments.of_rows(x))
    wide = x.astype(np.float64)
    assert found["mean"] == pytest.approx(wide.mean(axis=1), rel=1e-13)
    assert found["std"] == pytest.approx(wide.std(axis=1), rel=1e-12)
    assert found["skewness"] == pytest.approx(stats.skew(wide, axis=1), rel=1e-10)
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(wide, axis=1), rel=1e-10)
    assert found["l2_norm"] == pytest.approx(np.linalg.norm(wide, axis=1), rel=1e-13)


def test_no_digits_cancel_far_from_zero() -> None:
    x = (1000 + np.random.default_rng(0).standard_normal((1, 50_000))).astype(np.float32)
    found = moments.statistics(moments.of_rows(x))
    assert found["std"] == pytest.approx(x.astype(np.float64).std(), rel=1e-9)
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(x.astype(np.float64), axis=1), abs=1e-7)


def test_constant_numbers_have_no_skewness() -> None:
    found = moments.statistics(moments.of_rows(np.full((1, 9), 0.1, np.float32)))
    assert np.isnan(found["skewness"]).all() and np.isnan(found["kurtosis"]).all()
    assert found["std"] == pytest.approx(0, abs=1e-9)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(0, 1000))
def test_merging_parts_is_the_whole(sizes: list[int], seed: int) -> None:
    x = skewed(2, sum(sizes), seed=seed)
    cuts = np.cumsum(sizes)[:-1]
    parts = np.stack([moments.of_rows(part) for part in np.split(x, cuts, axis=1)], axis=1)
    np.testing.assert_allclose(moments.merge(parts), moments.of_rows(x), rtol=1e-9, atol=1e-9)


SHAPES = {
    "pos_embed": (1, 5, 4),
    "blocks.0.attn.qkv.weight": (12, 4),
    "blocks.0.attn.qkv.bias": (12,),
    "blocks.0.attn.proj.weight": (4, 4),
    "blocks.0.mlp.fc1.weight": (16, 4),
    "norm.weight": (4,),
    "head.weight": (3, 4),
}


def by_hand(scope: str, tensors: dict[str, np.ndarray]) -> float:
    """Excess kurtosis of a scope, spelled out."""
    q, k, v = np.split(tensors["blocks.0.attn.qkv.weight"], 3)
    square = [q, k, v, tensors["blocks.0.attn.proj.weight"]]
    split = {n: t for n, t in tensors.items() if ".qkv." not in n}
    everything = [*split.values(), q, k, v, *np.split(tensors["blocks.0.attn.qkv.bias"], 3)]
    pooled = {
        "all": list(tensors.values()),
        "backbone": [t for n, t in tensors.items() if not n.startswith("head")],
        "matrices": [*square, tensors["blocks.0.mlp.fc1.weight"]],
    }
    if scope in pooled:
        return float(stats.kurtosis(np.concatenate([t.ravel() for t in pooled[scope]])))
    return float(np.mean([stats.kurtosis(t.ravel()) for t in (square if scope == "square" else everything)]))


@pytest.mark.parametrize("scope", scopes.SCOPES)
def test_scopes_against_whole_vectors(scope: str) -> None:
    random = np.random.default_rng(0)
    tensors = {name: random.standard_normal(shape) ** 3 for name, shape in SHAPES.items()}
    parts = scopes.parts(SHAPES)
    assert sum(part.size for part in parts) == sum(t.size for t in tensors.values())
    rows = [tensors[p.source].reshape(1, -1)[:, p.begin : p.begin + p.size] for p in parts]
    values = np.concatenate([moments.of_rows(row) for row in rows])
    assert in_scope(parts, values, scope)["kurtosis"] == pytest.approx(by_hand(scope, tensors), rel=1e-9)


def test_an_unknown_scope_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'backbone'"):
        scopes.find("backbones")


@pytest.mark.parametrize("n", [1, 31, 32, 100, 70000])
def test_sums_in_c_are_those_of_numpy(n: int) -> None:
    if powers.library() is None:
        pytest.skip("no C compiler")
    rng = np.random.default_rng(n)
    x = (rng.standard_normal((3, n)) + 5).astype(np.float32)
    pivot = x.mean(axis=1, dtype=np.float64)
    wide = x.astype(np.float64) - pivot[:, None]
    expected = np.stack([(wide**k).sum(axis=1) for k in range(1, 5)], axis=1)
    np.testing.assert_allclose(powers.sums(x, pivot), expected, rtol=1e-12, atol=1e-9 * n)
    out = np.empty(n, np.float32)
    assert powers.difference(x[0], x[1], out) == pytest.approx(((x[0] - x[1]).astype(np.float64) ** 2).sum(), rel=1e-12)
    np.testing.assert_array_equal(out, x[0] - x[1])


def test_without_a_compiler_moments_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((4, 5000)).astype(np.float32)
    found = moments.of_rows(x)
    monkeypatch.setattr(powers, "library", lambda: None)
    np.testing.assert_allclose(moments.of_rows(x), found, rtol=1e-12, atol=1e-10)
