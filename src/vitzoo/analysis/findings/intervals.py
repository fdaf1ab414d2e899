"""95 % intervals when the unit of replication is a backbone and there are few of them.

Children of one backbone share its weights, so they are no independent repetitions: 240 members of 10 backbones are ten
units. Two kinds of effect occur, and each has one kind of interval.

Means, differences, ratios: ``jackknife``, Student's t with the standard error of leaving out one backbone at a time. Of
a mean it is the ordinary t interval, of a difference between two groups Welch's, and it holds as well for means over
pairs of backbones, which share backbones and so are not independent either. A percentile bootstrap over so few
backbones is too narrow: resamples of n vary by (n - 1) / n of what n new ones would, and it takes the normal's quantile
where t's is called for; with five units it covers about 84 % instead of 95 (tests/analysis/test_findings_intervals.py).

Shares, of children or of pairs of members: ``wilson`` and ``newcombe``, as if each backbone had given one child. The
others have no width where a share is 100 %, which is just where claims of disjoint modes are. These two do, and err on
the safe side: a share averaged over a backbone's children varies less than that of one child.

None of them knows that backbones may share a seed, as some of the paper's do; then they are a little too narrow.

References: Efron & Stein, "The jackknife estimate of variance", 1981; Welch, "The generalization of Student's problem",
1947; Wilson, "Probable inference", 1927; Newcombe, "Confidence intervals for an effect size measure based on the
Mann-Whitney statistic, part 2", 2006, method 5.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vitzoo.analysis.findings.finding import Untestable

FEWEST = 3  # with two units t has one degree of freedom and an interval 25 times as wide as the difference it is from
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and the limits of its 95 % interval, in the same unit.

    >>> Interval(0.5, 0.25, 1.0).map(lambda x: 100 * x)
    Interval(value=50.0, low=25.0, high=100.0)
    """

    value: float
    low: float
    high: float

    def map(self, increasing: Callable[[float], float]) -> "Interval":
        """Return the interval on another scale, such as the ratio of a log ratio."""
        return Interval(increasing(self.value), increasing(self.low), increasing(self.high))


def jackknife(statistic: Callable[[list[str]], float], *groups: Sequence[str], level: float = LEVEL) -> Interval:
    """Return ``statistic`` of all units and its interval, from its values with each unit left out in turn.

    ``groups`` are the names of the units, in one group or, for comparisons between groups, in several: leaving out
    is within a group, variances add and degrees of freedom are Satterthwaite's. ``statistic`` takes names in the order
    given; ``level`` is the coverage. No spread among the units gives an interval without width. Untestable if a group
    has fewer than three units, or if the statistic is not defined for all or without one of them.

    >>> found = jackknife(lambda units: sum(map(len, units)) / len(units), ["a", "bb", "ccc"])
    >>> round(found.value, 6), round(found.low, 3), round(found.high, 3)
    (2.0, -0.484, 4.484)
    """
    import numpy as np

    if min(map(len, groups)) < FEWEST:
        raise Untestable(f"An interval takes at least {FEWEST} backbones in each group; there are {_sizes(groups)}.")
    units = [unit for group in groups for unit in group]
    value = statistic(units)
    without = [np.array([statistic([u for u in units if u != unit]) for unit in group]) for group in groups]
    variances = [(len(v) - 1) / len(v) * float(((v - v.mean()) ** 2).sum()) for v in without]
    if not all(map(math.isfinite, (value, *variances))):
        raise Untestable(
            "The effect is not defined without one of the backbones: too few values are known, or they do not vary."
        )
    half = _quantile(variances, [len(v) for v in without], level) * math.sqrt(sum(variances))
    return Interval(value, value - half, value + half)


def wilson(share: float, n: int) -> Interval:
    """Return Wilson's interval of a share in 0 … 1, the mean over ``n`` backbones of each one's share.

    Untestable if ``n`` is so small that not even a share of 1 would be told from one half.

    >>> found = wilson(1.0, 10)
    >>> round(found.low, 3), round(found.high, 3)
    (0.722, 1.0)
    """
    z = _z()
    if n <= z * z:
        raise Untestable(f"There are {n} backbones: not even a share of 100 % of so few is told from one half.")
    centre, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(share, max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def newcombe(share: float, m: int, n: int) -> Interval:
    """Return Newcombe's interval of the share of pairs, in 0 … 1, in which one of ``m`` is above one of ``n``.

    A score interval: the limits are the shares θ from which ``share`` is z standard errors away, with the variance
    θ (1 - θ) [1 + (N/2 - 1) ((1 - θ) / (2 - θ) + θ / (1 + θ))] / (m n), N = m + n. Untestable if a group has fewer
    than three.

    >>> found = newcombe(1.0, 7, 3)
    >>> round(found.low, 2), found.high
    (0.6, 1.0)
    """
    from scipy.optimize import root_scalar

    if min(m, n) < FEWEST:
        raise Untestable(f"A comparison takes at least {FEWEST} backbones in each group; there are {m} and {n}.")
    z = _z()

    def beyond(theta: float) -> float:
        spread = 1 + ((m + n) / 2 - 1) * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (share - theta) ** 2 - z * z * theta * (1 - theta) * spread / (m * n)

    # At 0 and 1 the variance is none, so there the equation has a second root that is no limit.
    near = 1e-9
    low = 0.0 if share <= near else root_scalar(beyond, bracket=(0.0, share - near)).root
    high = 1.0 if share >= 1 - near else root_scalar(beyond, bracket=(share + near, 1.0)).root
    return Interval(share, low, high)


def _quantile(variances: list[float], sizes: list[int], level: float) -> float:
    from scipy.stats import t

    largest = max(variances)
    if largest == 0:
        return 0.0
    parts = [v / largest for v in variances]  # so that squares neither over- nor underflow
    freedom = sum(parts) ** 2 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    return float(t.ppf((1 + level) / 2, freedom))


def _z() -> float:
    from scipy.stats import norm

    return float(norm.ppf((1 + LEVEL) / 2))


def _sizes(groups: Sequence[Sequence[str]]) -> str:
    return " and ".join(str(len(group)) for group in groups)
