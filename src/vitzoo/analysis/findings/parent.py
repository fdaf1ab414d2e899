"""Do children stay by their parent?

Distances between backbones are of pairs, which share backbones; so the interval leaves out whole backbones, with their
children and all the pairs they are in.
"""

import math
from functools import partial
from typing import TYPE_CHECKING

from vitzoo.analysis.findings import criteria, design, pairs
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.findings.intervals import jackknife, wilson
from vitzoo.measures.measurements import DataFrame, Measurements

if TYPE_CHECKING:
    import numpy as np

# "Each": one child nearest to a stranger is a counterexample.
EVERY = 100.0

CLOSER = Claim(
    *(
        "parent.order_of_magnitude",
        "Children are an order of magnitude closer to their parent than parents to each other.",
    ),
    *("Section 3.2", "325 ± 340 and 2753 ± 476, a ratio of 8.5 (Table 1)"),
    "mean distance between backbones / mean distance of a child from its parent",
)
NEAREST = Claim(
    *("parent.nearest", "Each backbone forms a cluster with its children: every child is nearest to its own parent."),
    *("Section 3.2", "no number given"),
    "children nearest to their own parent, mean over backbones, %",
)
ALIGNED = Claim(
    *("parent.task", "Children of supervised backbones stay closer to their parent than those of contrastive ones."),
    *("Section 3.2", "277 ± 324 and 501 ± 346 (Table 1)"),
    "mean distance of a child from its parent, contrastive / supervised",
)


def evaluate(m: Measurements) -> list[Finding]:
    """Test the claims about distances between parents and children."""
    return [
        judge(CLOSER, partial(_closer, m)),
        judge(NEAREST, partial(_nearest, m)),
        judge(ALIGNED, partial(_aligned, m)),
    ]


def _closer(m: Measurements) -> Outcome:
    rows, parents = _families(m)
    rows = design.known(rows, "l2_distance")
    between = pairs.between(m.distances, parents, "member")
    of_children = rows.groupby("parent_member")["l2_distance"].mean()

    def ratio(kept: list[str]) -> float:
        return design.log_ratio(pairs.mean(between, kept), of_children[kept].mean())

    found = jackknife(ratio, sorted(of_children.index)).map(math.exp)
    judgement = criteria.above(found, criteria.ORDER_OF_MAGNITUDE)
    return Outcome(found, len(of_children), len(rows), *judgement)


def _nearest(m: Measurements) -> Outcome:
    import numpy as np

    (rows, _), parents = _families(m), m.pretrained()  # childless ones too: any backbone may be the nearest
    place = {name: i for i, name in enumerate(parents["member"])}
    distances = m.distances[np.ix_(rows.index, parents.index)]
    own = np.array([place[name] for name in rows["parent_member"]])
    rows = rows.assign(nearest=_is_nearest(distances, own))
    rows = rows[rows["nearest"].notna()]
    shares = rows.groupby("parent_member")["nearest"].mean()
    if len(shares) < 2:
        raise Untestable("No child can be compared with its own parent and with another one of its shape.")
    found = wilson(float(shares.mean()), len(shares)).map(lambda x: 100 * x)
    right = int(rows["nearest"].sum())
    why = f"The criterion is that all are nearest to their own parent, and {right} of {len(rows)} are."
    return Outcome(found, len(shares), len(rows), right == len(rows), why)


def _is_nearest(distances: "np.ndarray", own: "np.ndarray") -> "np.ndarray":
    """Return 1 for a child nearer to its own parent than to any other, 0 for another, NaN if one side is unknown."""
    import numpy as np

    children = np.arange(len(own))
    to_own = distances[children, own]
    others = distances.copy()
    others[children, own] = np.nan
    known = ~np.isnan(to_own) & ~np.isnan(others).all(axis=1)
    nearest_other = np.where(np.isnan(others), np.inf, others).min(axis=1)
    return np.where(known, to_own < nearest_other, np.nan)


def _aligned(m: Measurements) -> Outcome:
    groups, table = design.by_task(design.children(m), "l2_distance")
    means = table.mean()

    def ratio(kept: list[str]) -> float:
        supervised, contrastive = (means[[name for name in kept if name in group]].mean() for group in groups)
        return design.log_ratio(contrastive, supervised)

    found = jackknife(ratio, *groups).map(math.exp)
    return Outcome(found, table.shape[1], table.size, *criteria.above(found, 1))


def _families(m: Measurements) -> tuple[DataFrame, DataFrame]:
    """Return the children whose parents are measured, and these parents."""
    rows, parents = design.children(m), m.pretrained()
    rows = rows[rows["parent_member"].isin(parents["member"])]
    if rows.empty:
        raise Untestable("No fine-tuned member's parent is among the pre-trained ones that were measured.")
    return rows, parents[parents["member"].isin(rows["parent_member"])]
