"""Intervals: against scipy and by hand, and how often they cover the truth."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vitzoo.analysis.factors import eta_squared
from vitzoo.analysis.findings.explained import explained
from vitzoo.analysis.findings.finding import Untestable
from vitzoo.analysis.findings.intervals import Interval, jackknife, newcombe, wilson

REPEATS = 400


def names(group: str, n: int) -> list[str]:
    return [f"{group}{i}" for i in range(n)]


def one_sample(values: np.ndarray) -> Interval:
    known = dict(zip(names("a", len(values)), values, strict=True))
    return jackknife(lambda kept: float(np.mean([known[name] for name in kept])), list(known))


def two_samples(first: np.ndarray, second: np.ndarray) -> Interval:
    a, b = names("a", len(first)), names("b", len(second))
    known = dict(zip([*a, *b], [*first, *second], strict=True))

    def difference(kept: list[str]) -> float:
        means = [np.mean([known[name] for name in kept if name in group]) for group in (a, b)]
        return float(means[0] - means[1])

    return jackknife(difference, a, b)


def covered(found: Interval, truth: float) -> bool:
    return found.low <= truth <= found.high


@pytest.mark.parametrize("n", [3, 7, 10])
def test_jackknife_of_a_mean_is_the_t_interval(n: int) -> None:
    values = np.random.default_rng(n).normal(2, 3, n)
    found, expected = one_sample(values), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), expected.low, expected.high))


@pytest.mark.parametrize(("m", "n"), [(7, 3), (3, 3), (10, 4)])
def test_jackknife_of_a_difference_is_welchs_interval(m: int, n: int) -> None:
    random = np.random.default_rng(m)
    first, second = random.normal(1, 1, m), random.normal(0, 4, n)
    found = two_samples(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_jackknife_covers_where_a_bootstrap_does_not() -> None:
    """Five units: t covers 95 %, and a percentile bootstrap far less (scipy's is compared with the one used here)."""
    random = np.random.default_rng(0)
    resamples = random.integers(0, 5, (2000, 5))
    hits = {"t": 0, "bootstrap": 0}
    samples = random.normal(0, 1, (REPEATS, 5))
    for values in samples:
        low, high = np.quantile(values[resamples].mean(1), [0.025, 0.975])
        hits["bootstrap"] += low <= 0 <= high
        hits["t"] += covered(one_sample(values), 0)
    assert hits["t"] / REPEATS > 0.925
    assert hits["bootstrap"] / REPEATS < 0.9
    theirs = stats.bootstrap((samples[0],), np.mean, n_resamples=2000, method="percentile", rng=1).confidence_interval
    ours = np.quantile(samples[0][resamples].mean(1), [0.025, 0.975])
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.15)


def test_jackknife_covers_between_unequal_groups() -> None:
    random = np.random.default_rng(1)
    hits = sum(
        covered(two_samples(random.normal(1, 1, 7), random.normal(0, sd, 3)), 1)
        for sd in (0.5, 1, 2)
        for _ in range(REPEATS)
    )
    assert hits / (3 * REPEATS) > 0.92


def test_jackknife_covers_means_over_pairs() -> None:
    """Pairs share units: their mean of additive effects varies by four times the variance of a mean, not by pairs."""
    random = np.random.default_rng(2)
    hits = naive = 0
    units = names("a", 7)
    for _ in range(REPEATS):
        effect = dict(zip(units, random.normal(0, 1, 7), strict=True))
        noise = {pair: random.normal(0, 0.2) for pair in combinations(units, 2)}

        def mean(kept: list[str], effect: dict = effect, noise: dict = noise) -> float:
            return float(np.mean([effect[a] + effect[b] + noise[a, b] for a, b in combinations(kept, 2)]))

        hits += covered(jackknife(mean, units), 0)
        pairs = np.array([effect[a] + effect[b] + noise[a, b] for a, b in combinations(units, 2)])
        limits = stats.ttest_1samp(pairs, 0).confidence_interval()
        naive += limits.low <= 0 <= limits.high
    assert hits / REPEATS > 0.925
    assert naive / REPEATS < 0.85


def test_jackknife_without_spread_has_no_width() -> None:
    assert one_sample(np.full(4, 2.0)) == Interval(2.0, 2.0, 2.0)
    tiny = one_sample(np.array([1e-200, 2e-200, 3e-200]))
    assert tiny.low < tiny.value < tiny.high or tiny.low == tiny.high


def test_jackknife_says_what_is_missing() -> None:
    with pytest.raises(Untestable, match="at least 3 backbones in each group; there are 4 and 2"):
        two_samples(np.arange(4.0), np.arange(2.0))
    with pytest.raises(Untestable, match="not defined without one of the backbones"):
        one_sample(np.array([1.0, 2.0, math.nan]))


@pytest.mark.parametrize(("k", "n"), [(10, 10), (0, 10), (5, 10), (9, 12), (4, 4)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    found, expected = wilson(k / n, n), stats.binomtest(k, n).proportion_ci(0.95, "wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_is_at_least_as_wide_as_needed_for_shares_of_children() -> None:
    """Backbones whose own shares differ, with 24 children each: one child per backbone is the worst case."""
    random = np.random.default_rng(3)
    for a, b in ((8, 2), (0.8, 0.2), (30, 1)):
        shares = random.binomial(24, random.beta(a, b, (REPEATS, 10))).mean(1) / 24
        hits = sum(covered(wilson(share, 10), a / (a + b)) for share in shares.tolist())
        assert hits / REPEATS > 0.93


def test_wilson_refuses_a_test_that_cannot_succeed() -> None:
    with pytest.raises(Untestable, match="There are 3 backbones"):
        wilson(1.0, 3)
    assert wilson(1.0, 4).low > 0.5


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize(("m", "n"), [(7, 3), (3, 3), (20, 30)])
def test_newcombe_is_a_score_interval(share: float, m: int, n: int) -> None:
    """At a limit θ that is not an end, θ is z of Hanley and McNeil's standard errors from the share (with N/2 − 1)."""
    found = newcombe(share, m, n)
    assert 0 <= found.low <= share <= found.high <= 1
    for theta in (found.low, found.high):
        if 0 < theta < 1:
            q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
            extra = ((m + n) / 2 - 1) * ((q1 - theta**2) + (q2 - theta**2))
            se = math.sqrt((theta * (1 - theta) + extra) / (m * n))
            assert abs(share - theta) / se == pytest.approx(stats.norm.ppf(0.975), rel=1e-4)


def test_newcombe_mirrors() -> None:
    found, mirrored = newcombe(0.8, 7, 3), newcombe(0.2, 7, 3)
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))


def test_newcombe_tells_the_best_separation_from_none() -> None:
    assert newcombe(1.0, 7, 3).low > 0.5
    assert newcombe(1.0, 3, 3).low > 0.5
    with pytest.raises(Untestable, match="there are 7 and 2"):
        newcombe(1.0, 7, 2)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_newcombe_covers_pairs_of_children(shift: float) -> None:
    """Seven and three backbones with effects of their own, eight children each."""
    random = np.random.default_rng(4)
    truth = stats.norm.cdf(shift / math.sqrt(2 * (1 + 0.5**2)))
    hits = 0
    for _ in range(REPEATS):
        first = shift + random.normal(0, 1, (7, 1)) + random.normal(0, 0.5, (7, 8))
        second = random.normal(0, 1, (3, 1)) + random.normal(0, 0.5, (3, 8))
        share = float((first.reshape(-1, 1) > second.reshape(1, -1)).mean())
        hits += covered(newcombe(share, 7, 3), float(truth))
    assert hits / REPEATS > 0.93


def crossed(effect: float, levels: int, random: np.random.Generator) -> pd.DataFrame:
    """Eight backbones, six cells, levels that differ by ``effect`` and by an interaction with the backbone."""
    index = pd.MultiIndex.from_product([names("a", 8), range(6)], names=["parent_member", "cell"])
    values = np.repeat(random.normal(0, 0.2, (8, levels)), 6, axis=0) + random.normal(0, 0.2, (48, levels))
    return pd.DataFrame(values + effect * np.arange(levels) + random.normal(0, 1, (48, 1)), index=index)


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("effect", [0.0, 0.4])
def test_explained_variance_is_covered(effect: float, levels: int) -> None:
    """At no effect, and at one; the variance of the members is taken as it is, so the truth is relative to it."""
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(100):
        table = crossed(effect, levels, random)
        truth = effect**2 * np.arange(levels).var() / table.to_numpy().var()
        hits += covered(explained(table), float(truth))
    assert hits / 100 > 0.9


def test_explained_variance_is_eta_squared() -> None:
    table = crossed(0.3, 3, np.random.default_rng(6))
    values = table.stack()
    share = eta_squared(values, pd.Series(values.index.get_level_values(-1), index=values.index))
    found = explained(table)
    assert found.value == pytest.approx(share)
    assert found.low <= share <= found.high


def test_explained_variance_of_a_constant() -> None:
    with pytest.raises(Untestable, match="do not vary"):
        explained(crossed(0.0, 2, np.random.default_rng(7)) * 0)
