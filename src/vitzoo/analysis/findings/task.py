"""Does the pre-training task make disjoint modes, and is supervised pre-training the better start?

Backbones are compared, not members: three contrastive ones are three units however many children they have. Their
children are compared over the configurations that all backbones have. The accuracies of the backbones themselves are
not compared, since those of different tasks are accuracies at different things.
"""

import math
from functools import partial

from vitzoo.analysis.findings import criteria, design
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.findings.intervals import Interval, jackknife, newcombe
from vitzoo.measures.measurements import DataFrame, Measurements

# "Close to the overall spread": within a quarter, the limits by which two preparations of a drug count as equivalent.
ALIKE = (0.8, 1.25)
_PAIRS = "pairs of a supervised and a contrastive one in which the supervised one's is higher, %"

ACCURACY = Claim(
    *("task.accuracy", "Children of supervised backbones are more accurate than those of contrastive ones."),
    *("Section 3.2", "78.88 ± 5.30 and 74.83 ± 4.96 % (Table 2)"),
    "test accuracy, supervised − contrastive, pp",
)
ACROSS = Claim(
    *(
        "task.across_the_board",
        "With AdamW, supervised backbones give the more accurate children in every configuration.",
    ),
    *("Appendix A.2", "in 6 of 6 configurations, by 1.65 to 15.7 pp (Table 6)"),
    "test accuracy, supervised − contrastive, in the AdamW configuration with the smallest lower limit, pp",
)
GAP = Claim(
    *("task.gap", "Children of supervised backbones have a smaller generalisation gap than those of contrastive ones."),
    *("Section 3.2", "8.99 ± 7.58 and 11.85 ± 6.39 % (Table 2)"),
    "generalisation gap, supervised − contrastive, pp",
)
SPREADS = {
    task: Claim(
        f"task.accuracy_spread.{task}",
        f"The accuracy of children of {task} backbones spreads about as much as that of all children.",
        *("Section 3.2", f"{spread} and 5.49 % (Table 2)"),
        f"standard deviation of test accuracy, {task} / all",
    )
    for task, spread in ((design.SUPERVISED, "5.30"), (design.CONTRASTIVE, "4.96"))
}
MODES = {
    ("test_acc", "after"): Claim(
        *(
            "task.accuracy_modes",
            "The accuracies of fine-tuned members form two modes, one for each pre-training task.",
        ),
        *("Section 3.2", "78.88 ± 5.30 and 74.83 ± 4.96 % (Table 2)", f"test accuracy: {_PAIRS}"),
    )
} | {
    (column, when): Claim(
        f"task.{column}_modes.{when}",
        f"The {name} of the weights differs starkly between pre-training tasks {when} fine-tuning.",
        *("Section 3.2", paper, f"{name}: {_PAIRS}"),
    )
    for column, name, when, paper in (
        ("kurtosis", "kurtosis", "before", "0.85 ± 0.24 and 3.06 ± 0.22 (Table 1)"),
        ("kurtosis", "kurtosis", "after", "0.82 ± 0.23 and 2.99 ± 0.19 (Table 2)"),
        ("l2_norm", "L2 norm", "before", "1636 ± 248 and 2568 ± 224 (Table 1)"),
        ("l2_norm", "L2 norm", "after", "1689 ± 231 and 2613 ± 192 (Table 2)"),
        ("skewness", "skewness", "before", "0.01 ± 0.02 and 0.01 ± 0.01 (Table 1)"),
        ("skewness", "skewness", "after", "0.011 ± 0.015 and 0.008 ± 0.008 (Table 2)"),
    )
}


def evaluate(m: Measurements) -> list[Finding]:
    """Test the claims about performance and weights by pre-training task; agreement is in ``agreement``."""
    return [
        judge(ACCURACY, partial(_accuracy, m)),
        judge(ACROSS, partial(_across_the_board, m)),
        judge(GAP, partial(_gap, m)),
        *(judge(claim, partial(_spread, m, task)) for task, claim in SPREADS.items()),
        *(judge(claim, partial(_modes, m, *key)) for key, claim in MODES.items()),
    ]


def _accuracy(m: Measurements) -> Outcome:
    found, table = _difference(design.children(m), "test_acc")
    return _outcome(table, found, criteria.above(found, 0, " pp"))


def _gap(m: Measurements) -> Outcome:
    found, table = _difference(design.children(m), "gap")
    return _outcome(table, found, criteria.below(found, 0, " pp"))


def _across_the_board(m: Measurements) -> Outcome:
    """Every configuration must show it, so the one that shows it least decides, and no correction is due."""
    rows = design.having(design.children(m), "optimizer", design.ADAMW)
    named = [name for name in design.CONFIGURATION if name in rows and name != "seed"]  # Table 6 averages over seeds
    shared = design.by_task(rows, "test_acc")[1].reset_index()[named].drop_duplicates()
    each = [_difference(rows[(rows[named] == values).all(axis=1)], "test_acc") for values in shared.to_numpy().tolist()]
    worst = min((interval for interval, _ in each), key=lambda interval: interval.low)
    holds, why = criteria.above(worst, 0, " pp")
    positive = sum(interval.value > 0 for interval, _ in each)
    why += f" The difference itself is positive in {positive} of {len(each)} configurations."
    return Outcome(worst, each[0][1].shape[1], sum(table.size for _, table in each), holds, why)


def _spread(m: Measurements, task: str) -> Outcome:
    groups, table = design.by_task(design.children(m), "test_acc")
    own = groups[(design.SUPERVISED, design.CONTRASTIVE).index(task)]

    def ratio(kept: list[str]) -> float:
        of_task = table[[name for name in kept if name in own]].to_numpy()
        return design.log_ratio(of_task.std(ddof=1), table[kept].to_numpy().std(ddof=1))

    found = jackknife(ratio, *groups).map(math.exp)
    return _outcome(table, found, criteria.within(found, *ALIKE))


def _modes(m: Measurements, column: str, when: str) -> Outcome:
    groups, table = design.by_task(design.children(m), column) if when == "after" else _before(m, column)
    share = design.superiority(*(table[group].to_numpy().ravel() for group in groups))
    found = newcombe(share, *map(len, groups)).map(lambda x: 100 * x)
    return _outcome(table, found, criteria.nearly_all(found, or_none=column != "test_acc"))


def _before(m: Measurements, column: str) -> tuple[design.Groups, DataFrame]:
    """Return the groups of pre-trained members, and their statistic in a table of one row."""
    rows = m.pretrained()
    if rows.empty:
        raise Untestable("The zoo has no pre-trained members.")
    rows = design.known(rows, column)
    rows = rows[rows["task"].isin([design.SUPERVISED, design.CONTRASTIVE])]
    return design.tasks(rows, "member", "task"), rows.set_index("member")[[column]].T


def _difference(rows: DataFrame, column: str) -> tuple[Interval, DataFrame]:
    """Return supervised − contrastive in percentage points, each backbone counting once, and what it is from."""
    groups, table = design.by_task(rows, column)
    means = 100 * table.mean()

    def difference(kept: list[str]) -> float:
        supervised, contrastive = (means[[name for name in kept if name in group]].mean() for group in groups)
        return supervised - contrastive

    return jackknife(difference, *groups), table


def _outcome(table: DataFrame, found: Interval, judgement: criteria.Judgement) -> Outcome:
    return Outcome(found, table.shape[1], table.size, *judgement)
