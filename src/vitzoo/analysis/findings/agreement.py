"""Do children of supervised backbones agree more with each other, and does agreement vary more among contrastive ones?

Agreement is of pairs, and pairs share members. For its mean, pairs within one backbone are left out: they are a third
of the pairs of three backbones but a seventh of those of seven, and siblings agree more, so counting them would favour
the smaller group. The interval leaves out whole backbones, with all pairs they are in.
"""

import math
from functools import partial

from vitzoo.analysis.findings import criteria, design, pairs
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.findings.intervals import jackknife
from vitzoo.measures.measurements import DataFrame, Measurements

MORE = Claim(
    *("task.agreement", "Children of supervised backbones agree more with each other than those of contrastive ones."),
    *("Section 3.2", "78.23 ± 4.92 and 75.59 ± 4.50 % (Table 2)"),
    "agreement of children of different backbones of one task, supervised − contrastive, pp",
)
VARIANCE = Claim(
    *("task.agreement_spread", "In most configurations agreement varies slightly more with contrastive pre-training."),
    *("Appendix A.2", "in 11 of 12 configurations (Table 6)"),
    "standard deviation of agreement in a configuration, contrastive / supervised, geometric mean",
)


def evaluate(m: Measurements) -> list[Finding]:
    """Test the claims about agreement by pre-training task."""
    return [judge(MORE, partial(_more, m)), judge(VARIANCE, partial(_variance, m))]


def _more(m: Measurements) -> Outcome:
    groups, rows = _comparable(m)
    table = 100 * pairs.between(m.agreement, rows)

    def difference(kept: list[str]) -> float:
        supervised, contrastive = (pairs.mean(table, [name for name in kept if name in group]) for group in groups)
        return supervised - contrastive

    found = jackknife(difference, *groups)
    return Outcome(found, len(table), len(rows), *criteria.above(found, 0, " pp"))


def _variance(m: Measurements) -> Outcome:
    groups, rows = _comparable(m)
    named = [name for name in design.CONFIGURATION if name in rows and name != "seed"]  # Table 6 puts seeds together
    each = [_places(chosen) for _, chosen in rows.groupby(named)]
    # Without one of three backbones that have one member each there would be one pair, which has no spread.
    each = [places for places in each if min(map(len, places.values())) > 1]
    if not each:
        raise Untestable("There is no configuration of which every backbone has two members.")

    def ratio(kept: list[str]) -> float:
        logs = [math.log(_spread(m, places, kept, groups[1]) / _spread(m, places, kept, groups[0])) for places in each]
        return sum(logs) / len(logs)

    higher = sum(_spread(m, places, groups[1], groups[1]) > _spread(m, places, groups[0], groups[0]) for places in each)
    found = jackknife(ratio, *groups).map(math.exp)
    holds, why = criteria.above(found, 1)
    why += f" It varies more with contrastive pre-training in {higher} of {len(each)} configurations."
    return Outcome(found, sum(map(len, groups)), len(rows), holds, why)


def _comparable(m: Measurements) -> tuple[design.Groups, DataFrame]:
    """Return the groups, and the children in configurations that all their backbones have."""
    rows = design.children(m)
    groups, table = design.by_task(rows, "test_acc")
    rows = rows[rows["parent_member"].isin([*groups[0], *groups[1]]) & rows["test_acc"].notna()]
    return groups, rows[rows.set_index(table.index.names).index.isin(table.index)]


def _places(rows: DataFrame) -> dict[str, list[int]]:
    return {name: list(group.index) for name, group in rows.groupby("parent_member")}


def _spread(m: Measurements, places: dict[str, list[int]], kept: list[str], group: list[str]) -> float:
    """Return the standard deviation of agreement over all pairs of the children of a group's kept backbones."""
    import numpy as np

    chosen = [place for name in kept if name in group for place in places[name]]
    values = m.agreement[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)]
    values = values[~np.isnan(values)]
    if len(values) < 2 or np.ptp(values) == 0:
        raise Untestable("There is a configuration in which agreement is not known or does not vary.")
    return float(values.std(ddof=1))
