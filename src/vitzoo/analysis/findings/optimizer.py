"""Does the optimizer make two modes, and does SGD stay near the parent?

The optimizer is crossed with the backbone, so AdamW and SGD are compared between members of one backbone that differ in
the optimizer alone, and the differences of backbones are the replicates.
"""

import math
from functools import partial

from vitzoo.analysis.findings import criteria, design
from vitzoo.analysis.findings.explained import LARGE, explained
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.findings.intervals import Interval, jackknife, wilson
from vitzoo.measures.measurements import DataFrame, Measurements

_ACCURACIES = "80.06 ± 4.59 and 72.76 ± 3.88 % (Table 2)"

ACCURACY = Claim(
    *("optimizer.accuracy", "AdamW gives more accurate children than SGD.", "Section 3.2", _ACCURACIES),
    "test accuracy, AdamW − SGD, pp",
)
STRENGTH = Claim(
    *("optimizer.strength", "The choice of the optimizer has a strong impact on accuracy.", "Section 3.2", _ACCURACIES),
    "variance of test accuracy explained by the optimizer, η²",
)
CLEARER = Claim(
    *(
        "optimizer.clearer",
        "The optimizer's two modes in accuracy are further apart than those of the pre-training task.",
    ),
    *("Section 3.2", "7.30 and 4.05 pp (Table 2)"),
    "test accuracy, |AdamW − SGD| − |supervised − contrastive|, pp",
)
MODES = {
    column: Claim(
        f"optimizer.{column}_modes",
        f"Within a backbone, the optimizer makes two disjoint modes in {name}.",
        *(source, paper),
        f"{name}: pairs of an AdamW and an SGD child of a backbone in which AdamW's is higher, mean over backbones, %",
    )
    for column, name, source, paper in (
        ("test_acc", "test accuracy", "Section 3.2", _ACCURACIES),
        ("kurtosis", "kurtosis", "Section 3.2", "1.46 ± 1.02 and 0.83 ± 0.22 (Table 2)"),
        ("l2_norm", "L2 norm", "Section 3.2", "1986 ± 466 and 1624 ± 225 (Table 2)"),
        ("l2_distance", "L2 distance from the parent", "Table 2", "448 ± 324 and 3.20 ± 1.02 (Table 2)"),
    )
}
NEAR = Claim(
    *("optimizer.distance", "SGD stays near the parent: AdamW moves by an order of magnitude or more further."),
    *("Table 2", "448 ± 324 and 3.20 ± 1.02, a ratio of 140 (Table 2)"),
    "mean distance of a child from its parent, AdamW / SGD",
)
SPREAD = Claim(
    *(
        "optimizer.accuracy_spread",
        "The accuracies of SGD-trained members spread less than those of AdamW-trained ones.",
    ),
    *("Section 3.2", "3.88 and 4.59 % (Table 2); not so in the raw zoo (Table 6)"),
    "standard deviation of test accuracy, SGD / AdamW",
)


def evaluate(m: Measurements) -> list[Finding]:
    """Test the claims about the optimizer."""
    return [
        judge(ACCURACY, partial(_accuracy, m)),
        judge(STRENGTH, partial(_strength, m)),
        judge(CLEARER, partial(_clearer, m)),
        *(judge(claim, partial(_modes, m, column)) for column, claim in MODES.items()),
        judge(NEAR, partial(_near, m)),
        judge(SPREAD, partial(_spread, m)),
    ]


def _accuracy(m: Measurements) -> Outcome:
    table = _both(m, "test_acc")
    means = 100 * (table[design.ADAMW] - table[design.SGD]).groupby("parent_member").mean()
    found = jackknife(lambda kept: means[kept].mean(), design.backbones(table))
    return _outcome(table, found, criteria.above(found, 0, " pp"))


def _strength(m: Measurements) -> Outcome:
    table = _both(m, "test_acc")
    found = explained(table)
    return _outcome(table, found, criteria.above(found, LARGE))


def _clearer(m: Measurements) -> Outcome:
    """Both effects are of the same members: the cells that all backbones of both tasks have."""
    rows = design.children(m)
    groups = design.tasks(design.known(rows, "test_acc"))
    rows = rows[rows["parent_member"].isin([*groups[0], *groups[1]])]
    table = design.cells(rows, {"optimizer": (design.ADAMW, design.SGD)}, "test_acc").unstack("parent_member")
    table = table.dropna()
    if table.empty:
        raise Untestable("There is no configuration in which every backbone has children of both optimizers.")
    means = 100 * table.mean()
    adamw, sgd = means[design.ADAMW], means[design.SGD]
    of_backbone = (adamw + sgd) / 2

    def further(kept: list[str]) -> float:
        supervised, contrastive = (of_backbone[[name for name in kept if name in group]].mean() for group in groups)
        return abs(adamw[kept].mean() - sgd[kept].mean()) - abs(supervised - contrastive)

    found = jackknife(further, *groups)
    return Outcome(found, len(of_backbone), table.size, *criteria.above(found, 0, " pp"))


def _modes(m: Measurements, column: str) -> Outcome:
    table = _both(m, column)
    shares = [
        design.superiority(cells[design.ADAMW].to_numpy(), cells[design.SGD].to_numpy())
        for _, cells in table.groupby("parent_member")
    ]
    found = wilson(sum(shares) / len(shares), len(shares)).map(lambda x: 100 * x)
    return _outcome(table, found, criteria.nearly_all(found, or_none=column == "kurtosis"))


def _near(m: Measurements) -> Outcome:
    table = _both(m, "l2_distance")
    means = table.groupby("parent_member").mean()

    def ratio(kept: list[str]) -> float:
        return design.log_ratio(means.loc[kept, design.ADAMW].mean(), means.loc[kept, design.SGD].mean())

    found = jackknife(ratio, design.backbones(table)).map(math.exp)
    return _outcome(table, found, criteria.above(found, criteria.ORDER_OF_MAGNITUDE))


def _spread(m: Measurements) -> Outcome:
    table = _both(m, "test_acc")
    found = design.spread_ratio(table, design.SGD, design.ADAMW)
    return _outcome(table, found, criteria.below(found, 1))


def _both(m: Measurements, column: str) -> DataFrame:
    return design.cells(design.children(m), {"optimizer": (design.ADAMW, design.SGD)}, column)


def _outcome(table: DataFrame, found: Interval, judgement: criteria.Judgement) -> Outcome:
    return Outcome(found, len(design.backbones(table)), table.size, *judgement)
