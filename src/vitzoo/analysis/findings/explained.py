"""The share of variance that a factor crossed with the backbones explains, with an interval.

η² = Σ_g (x̄_g − x̄)² / (k σ²) for k levels with the same cells, which is Σ_{a<b} (x̄_a − x̄_b)² / (k² σ²). The means
differ within backbones, so each difference has a paired interval, and the limits of η² are those of the squares added
up, with the variance σ² of these members taken as it is. With more than two levels the intervals are wider, by
Bonferroni, so that together they cover. A resampled η² would not do, since a square is never below zero and its
standard error vanishes where the effect does.

Reference: Cohen, "Statistical power analysis for the behavioral sciences", 1988, sections 8.2 and 9.2.
"""

from itertools import combinations
from typing import Any

from vitzoo.analysis.findings import design
from vitzoo.analysis.findings.finding import Untestable
from vitzoo.analysis.findings.intervals import LEVEL, Interval, jackknife
from vitzoo.measures.measurements import DataFrame

# Cohen's conventions, f = 0.1 and 0.4.
SMALL, LARGE = 0.01, 0.14


def explained(table: DataFrame) -> Interval:
    """Return η² of the columns of ``cells``, the levels of one factor. Untestable if the values do not vary."""
    variance = float(table.to_numpy().var())
    if variance == 0:
        raise Untestable("The values do not vary, so there is no variance to be explained.")
    pairs = list(combinations(table.columns, 2))
    level = 1 - (1 - LEVEL) / len(pairs)
    differences = [_difference(table, a, b, level) for a, b in pairs]
    scale = len(table.columns) ** 2 * variance
    return Interval(
        sum(found.value**2 for found in differences) / scale,
        sum(_smallest_square(found) for found in differences) / scale,
        sum(max(found.low**2, found.high**2) for found in differences) / scale,
    )


def _difference(table: DataFrame, a: Any, b: Any, level: float) -> Interval:
    differences = table[a] - table[b]
    return jackknife(lambda kept: design.of_backbones(differences, kept).mean(), design.backbones(table), level=level)


def _smallest_square(found: Interval) -> float:
    return 0.0 if found.low <= 0 <= found.high else min(found.low**2, found.high**2)
