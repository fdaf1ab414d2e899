"""Does the learning rate make smooth variation, and what does a lower or higher one do?

Like the optimizer it is crossed with the backbone: members of one backbone that differ in the learning rate alone are
compared, at all rates for what is said of the rate, at the lowest and the highest for what is said of lower or higher.
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from vitzoo.analysis.findings import criteria, design, pairs
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.findings.intervals import Interval, jackknife, wilson
from vitzoo.measures.measurements import DataFrame, Measurements

# Without a jump: distance grows in proportion to the rate or slower, that is with an exponent nearer to one than two.
STEEPEST = 1.5
# "Little" against another effect: less than half of it.
LITTLE = 0.5
_DISTANCES = "513 ± 430, 262 ± 178 and 89.9 ± 9.40 at 3e-3, 1e-3 and 1e-4 (Table 2)"

MONOTONE = Claim(
    *(
        "lr.distance_order",
        "The higher the learning rate, the further a child is from its parent.",
        "Section 3.2",
        _DISTANCES,
    ),
    "children whose distance rises with every step of the learning rate, mean over backbones, %",
)
SMOOTH = Claim(
    *("lr.distance_smooth", "Within a mode, the distance from the parent varies smoothly with the learning rate."),
    *("Section 3.2", _DISTANCES),
    "exponent of distance in the learning rate, at the step and optimizer where its upper limit is highest",
)
NO_GAP = Claim(
    *("lr.distance_gap", "Learning rates leave smaller gaps in the distance from the parent than the optimizers do."),
    *("Sections 2 and 3.2", "steps of 0.29 and 0.46 between rates, 2.15 between optimizers (Table 2)"),
    "step of log10 distance, largest between neighbouring learning rates − between optimizers, orders of magnitude",
)
ACCURACY = Claim(
    *("lr.accuracy", "The learning rate has little impact on accuracy compared with the optimizer."),
    *("Section 3.2", "range of 1.11 pp, optimizers 7.30 pp apart (Table 2)"),
    "test accuracy, range over learning rates / |AdamW − SGD|",
)
GAP = Claim(
    *("lr.gap", "A lower learning rate decreases the generalisation gap."),
    *("Section 3.2", "11.07 ± 9.20 at 3e-3 and 6.18 ± 2.98 % at 1e-4 (Table 2)"),
    "generalisation gap, highest − lowest learning rate, pp",
)
GAP_SPREAD = Claim(
    *("lr.gap_spread", "A lower learning rate decreases the spread of the generalisation gap."),
    *("Section 3.2", "9.20 at 3e-3 and 2.98 % at 1e-4 (Table 2)"),
    "standard deviation of the generalisation gap, lowest / highest learning rate",
)
SPREAD = Claim(
    *("lr.accuracy_spread", "A higher learning rate decreases the spread of accuracy."),
    *("Section 3.2", "2.29 at 3e-3 and 7.01 % at 1e-4 (Table 2)"),
    "standard deviation of test accuracy, highest / lowest learning rate",
)
AGREEMENT = Claim(
    *("lr.agreement", "The learning rate has an impact on agreement."),
    *("Section 3.2", "76.54 ± 3.29 at 3e-3 and 78.33 ± 7.90 % at 1e-4 (Table 2)"),
    "agreement of children of different backbones, lowest − highest learning rate, pp",
)
ENDS = {
    design.ADAMW: Claim(
        *("lr.adamw", "AdamW works better with a lower learning rate.", "Appendix A.2"),
        "at 3e-3 and 1e-4: supervised 79.8 and 83.2 %, contrastive 78.1 and 67.6 % (Table 6)",
        "test accuracy with AdamW, lowest − highest learning rate, pp",
    ),
    design.SGD: Claim(
        *("lr.sgd", "SGD works better with a higher learning rate.", "Appendix A.2"),
        "at 3e-3 and 1e-4: supervised 75.6 and 3.9 %, contrastive 58.6 and 13.1 % (Table 6)",
        "test accuracy with SGD, highest − lowest learning rate, pp",
    ),
}


def evaluate(m: Measurements) -> list[Finding]:
    """Test the claims about the learning rate."""
    return [
        judge(MONOTONE, partial(_monotone, m)),
        judge(SMOOTH, partial(_smooth, m)),
        judge(NO_GAP, partial(_no_gap, m)),
        judge(ACCURACY, partial(_accuracy, m)),
        judge(GAP, partial(_gap, m)),
        judge(GAP_SPREAD, partial(_spread, m, "gap", 0)),
        judge(SPREAD, partial(_spread, m, "test_acc", -1)),
        judge(AGREEMENT, partial(_agreement, m)),
        *(judge(claim, partial(_end, m, optimizer)) for optimizer, claim in ENDS.items()),
    ]


def _monotone(m: Measurements) -> Outcome:
    rows = design.children(m)
    table = design.cells(rows, {"lr": design.learning_rates(rows, 3)}, "l2_distance")
    shares = (table.diff(axis=1).iloc[:, 1:] > 0).all(axis=1).groupby("parent_member").mean()
    found = wilson(float(shares.mean()), len(shares)).map(lambda x: 100 * x)
    return _outcome(table, found, criteria.nearly_all(found))


def _smooth(m: Measurements) -> Outcome:
    """Every step of every optimizer must be smooth, so the steepest decides, and no correction is due."""
    rows = design.children(m)
    rates = design.learning_rates(rows, 3)
    table = design.cells(rows, {"lr": rates}, "l2_distance")
    logs = _log(table)
    found = [
        _exponent(of_optimizer, low, high)
        for _, of_optimizer in logs.groupby("optimizer")
        for low, high in pairwise(rates)
    ]
    steepest = max(found, key=lambda interval: interval.high)
    return _outcome(table, steepest, criteria.below(steepest, STEEPEST))


def _exponent(logs: DataFrame, low: float, high: float) -> Interval:
    exponents = (logs[high] - logs[low]) / math.log10(high / low)
    means = exponents.groupby("parent_member").mean()
    return jackknife(lambda kept: means[kept].mean(), design.backbones(logs))


def _no_gap(m: Measurements) -> Outcome:
    table, rates = _with_optimizers(m, "l2_distance")
    means = _log(table).groupby("parent_member").mean()

    def beyond(kept: list[str]) -> float:
        mean = means.loc[kept].mean()
        adamw, sgd = mean[design.ADAMW], mean[design.SGD]
        steps = [abs(of[high] - of[low]) for of in (adamw, sgd) for low, high in pairwise(rates)]
        return max(steps) - abs(adamw.mean() - sgd.mean())

    found = jackknife(beyond, design.backbones(table))
    return _outcome(table, found, criteria.below(found, 0))


def _accuracy(m: Measurements) -> Outcome:
    table, _ = _with_optimizers(m, "test_acc")

    def ratio(kept: list[str]) -> float:
        mean = design.of_backbones(table, kept).mean()
        by_rate = mean.groupby("lr").mean()
        apart = abs(mean[design.ADAMW].mean() - mean[design.SGD].mean())
        return (by_rate.max() - by_rate.min()) / apart if apart > 0 else float("nan")

    found = jackknife(ratio, design.backbones(table))
    return _outcome(table, found, criteria.below(found, LITTLE))


def _gap(m: Measurements) -> Outcome:
    table = _ends(design.children(m), "gap")
    found = _difference(table, *reversed(table.columns))
    return _outcome(table, found, criteria.above(found, 0, " pp"))


def _spread(m: Measurements, column: str, smaller: int) -> Outcome:
    """Compare spreads at the two ends; ``smaller`` is the position of the one said to be smaller."""
    table = _ends(design.children(m), column)
    found = design.spread_ratio(table, table.columns[smaller], table.columns[-1 - smaller])
    return _outcome(table, found, criteria.below(found, 1))


def _agreement(m: Measurements) -> Outcome:
    rows = design.children(m)
    cells = _ends(rows, "test_acc")
    matched = rows.set_index(cells.index.names).index.isin(cells.index)
    low, high = (100 * pairs.between(m.agreement, rows[matched & (rows["lr"] == lr)]) for lr in cells.columns)
    found = jackknife(lambda kept: pairs.mean(low, kept) - pairs.mean(high, kept), design.backbones(cells))
    return _outcome(cells, found, criteria.apart_from(found, 0, " pp"))


def _end(m: Measurements, optimizer: str) -> Outcome:
    table = _ends(design.having(design.children(m), "optimizer", optimizer), "test_acc")
    better, worse = table.columns if optimizer == design.ADAMW else reversed(table.columns)
    found = _difference(table, better, worse)
    return _outcome(table, found, criteria.above(found, 0, " pp"))


def _ends(rows: DataFrame, column: str) -> DataFrame:
    """Return the cells with the lowest and the highest learning rate, in this order."""
    rates = design.learning_rates(rows)
    return design.cells(rows, {"lr": (rates[0], rates[-1])}, column)


def _with_optimizers(m: Measurements, column: str) -> tuple[DataFrame, Sequence[float]]:
    """Return the cells with all learning rates of both optimizers, and the rates."""
    rows = design.children(m)
    rates = design.learning_rates(rows)
    return design.cells(rows, {"optimizer": (design.ADAMW, design.SGD), "lr": rates}, column), rates


def _difference(table: DataFrame, better: float, worse: float) -> Interval:
    means = 100 * (table[better] - table[worse]).groupby("parent_member").mean()
    return jackknife(lambda kept: means[kept].mean(), design.backbones(table))


def _log(table: DataFrame) -> DataFrame:
    import numpy as np

    if (table <= 0).any(axis=None):
        raise Untestable("Some member is as it was before fine-tuning, so ratios of distances are not defined.")
    return np.log10(table)


def _outcome(table: DataFrame, found: Interval, judgement: criteria.Judgement) -> Outcome:
    return Outcome(found, len(design.backbones(table)), table.size, *judgement)
