"""Do averages within a lineage do what the paper says: over epochs, over one factor, early and late in fine-tuning?

Averages are compared with what they are averages of, on the same images. Children of one backbone are no independent
repetitions, so an effect is a mean over backbones of the mean over their children, or a statistic of all children with
each backbone left out in turn.
"""

from functools import partial

from vitzoo.analysis.findings import criteria
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.findings.intervals import jackknife, wilson
from vitzoo.measures.measurements import DataFrame
from vitzoo.merging.study.averages import Averages

# "In most cases": more than half, with the whole interval.
MOST = 50
_NONE = "no number given"

MEAN = Claim(
    *("averaging.mean", "Averaging the last epochs of fine-tuning improves on the mean of the averaged."),
    *("Section 4.2", _NONE, "test accuracy, average − mean of the averaged, pp"),
)
BEST = Claim(
    *("averaging.best", "Averaging the last epochs improves in most cases even on the best of the averaged."),
    *("Section 4.2", _NONE, "members whose average is better than the best of the averaged, mean over backbones, %"),
)
GAP = Claim(
    *("averaging.gap", "The larger the generalisation gap, the more is gained by averaging the last epochs."),
    *("Figure 2a", _NONE, "rank correlation of the gain over the best of the averaged with the gap, Spearman's ρ"),
)
EARLY = Claim(
    *("averaging.early", "Averages early in fine-tuning are worse than the model at that epoch."),
    *("Section 4.2 and Figure 3", _NONE, "test accuracy at the first epoch with an average, average − model, pp"),
)
LATE = Claim(
    *("averaging.late", "Averages late in fine-tuning are better than the model at that epoch."),
    *("Section 4.2 and Figure 3", _NONE, "test accuracy at the last epoch, average − model, pp"),
)
SEED = Claim(
    *("averaging.seed", "Of soups over one factor, those over the fine-tuning seed have the most upside."),
    *("Section 4.2 and Figure 2b", _NONE),
    "soups better than the best of their members, over seeds − over the next best factor, pp",
)
OTHERS = Claim(
    *("averaging.others", "Soups over any factor but the seed are worse than the best of their members."),
    *("Figure 2", "“in almost all cases”", "soups that are not better, mean over backbones, %"),
)


def evaluate(a: Averages) -> list[Finding]:
    """Test the claims about averages within a lineage."""
    return [
        judge(MEAN, partial(_mean, a)),
        judge(BEST, partial(_best, a)),
        judge(GAP, partial(_gap, a)),
        judge(EARLY, partial(_along, a, 0)),
        judge(LATE, partial(_along, a, -1)),
        judge(SEED, partial(_seed, a)),
        judge(OTHERS, partial(_others, a)),
    ]


def _mean(a: Averages) -> Outcome:
    rows = _members(a)
    return _difference(rows, rows["average"] - rows["mean"], above=True)


def _best(a: Averages) -> Outcome:
    rows = _members(a)
    shares = (rows["average"] > rows["best"]).groupby(rows["parent_member"]).mean()
    found = wilson(float(shares.mean()), len(shares)).map(_percent)
    return Outcome(found, len(shares), len(rows), *criteria.above(found, MOST, " %"))


def _gap(a: Averages) -> Outcome:
    rows = _members(a)
    rows = rows[rows["gap"].notna()]
    if rows.empty:
        raise Untestable("No member has a recorded training accuracy, so there is no generalisation gap.")
    gains = rows.assign(gain=rows["average"] - rows["best"])

    def correlation(kept: list[str]) -> float:
        chosen = gains[gains["parent_member"].isin(kept)]
        if min(chosen["gain"].nunique(), chosen["gap"].nunique()) < 2:
            return float("nan")
        return chosen["gain"].corr(chosen["gap"], method="spearman")

    backbones = _backbones(rows)
    found = jackknife(correlation, backbones)
    return Outcome(found, len(backbones), len(rows), *criteria.above(found, 0))


def _along(a: Averages, which: int) -> Outcome:
    """Compare at the first (0) or the last (-1) epoch that has averages."""
    rows = a.course()
    rows = rows[rows["average"].notna()]
    epochs = sorted(rows["epoch"].unique())
    if len(epochs) < 2:
        raise Untestable(f"Members keep so few epochs that averages of {a.last} do not begin at two of them.")
    rows = rows[rows["epoch"] == epochs[which]]
    found = _difference(rows, rows["average"] - rows["plain"], above=which == -1)
    why = f"{found.why} The epoch is {epochs[which]}, the average of {a.last} up to it."
    return Outcome(found.interval, found.backbones, found.members, found.holds, why)


def _seed(a: Averages) -> Outcome:
    shares = _upsides(a)
    if "seed" not in shares or shares.shape[1] < 2:
        raise Untestable("There are no soups over seeds, or none over another factor to compare them with.")
    shares = shares[shares["seed"].notna()]

    def beyond(kept: list[str]) -> float:
        mean = shares.loc[kept].mean()
        return mean["seed"] - mean.drop("seed").max()

    found = jackknife(beyond, list(shares.index))
    why = ", ".join(f"{factor} {criteria.number(share)} %" for factor, share in shares.mean().items())
    holds, criterion = criteria.above(found, 0, " pp")
    return Outcome(found, len(shares), _mixed(a.soups), holds, f"{criterion} Shares: {why}.")


def _others(a: Averages) -> Outcome:
    shares = _upsides(a).drop(columns="seed", errors="ignore")
    if shares.empty:
        raise Untestable("There are no soups over a factor other than the seed.")
    others = a.soups[a.soups["factor"] != "seed"]
    worse = (others["average"] <= others["best"]).groupby(others["parent_member"]).mean()
    found = wilson(float(worse.mean()), len(worse)).map(_percent)
    return Outcome(found, len(worse), _mixed(others), *criteria.nearly_all(found))


def _upsides(a: Averages) -> DataFrame:
    """Return the share of soups that are better than the best of their members, in %, by backbone and factor."""
    if a.soups.empty:
        raise Untestable("No two members differ in one factor alone, so there are no soups.")
    better = 100.0 * (a.soups["average"] > a.soups["best"])
    return better.groupby([a.soups["parent_member"], a.soups["factor"]]).mean().unstack()


def _mixed(soups: DataFrame) -> int:
    """Return how many members are in some soups."""
    return len({name for names in soups["members"] for name in names})


def _difference(rows: DataFrame, gains: DataFrame, *, above: bool) -> Outcome:
    """Judge gains, in fractions, by their means over each backbone's children."""
    means = 100 * gains.groupby(rows["parent_member"]).mean()
    found = jackknife(lambda kept: means[kept].mean(), list(means.index))
    criterion = criteria.above if above else criteria.below
    return Outcome(found, len(means), len(rows), *criterion(found, 0, " pp"))


def _members(a: Averages) -> DataFrame:
    if a.members.empty:
        raise Untestable(f"No member has an average of its last {a.last} checkpoints.")
    return a.members


def _backbones(rows: DataFrame) -> list[str]:
    return sorted(rows["parent_member"].unique())


def _percent(share: float) -> float:
    return 100 * share
