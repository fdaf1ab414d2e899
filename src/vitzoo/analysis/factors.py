"""Accuracy by generating factor: what each level of a factor reaches, and how much of the variance the factor explains.

Reference: the zoo's paper, Table 2 (accuracy and generalisation gap per configuration after the last epoch).
"""

from vitzoo.analysis.levels import UNKNOWN, DataFrame, Series, last_checkpoints, levels, text, varying

ALL = "all"
HEADER = (
    "| factor | level | n | test accuracy, % | min – max, % | gap, pp | η² |",
    "|---|---|---:|---:|---:|---:|---:|",
)


def by_factor(table: DataFrame) -> DataFrame:
    """Return one row per level of every factor that varies, and a last one for all members.

    ``table`` is ``zoo.table()``; counted are finished fine-tuned members at their last checkpoint. Columns:
    ``factor level n acc_mean acc_std acc_min acc_max gap_mean gap_std eta_squared``, accuracies and the
    generalisation gap (train − test accuracy) as fractions, standard deviations of the sample (n − 1).
    ``eta_squared`` is the factor's, the same for all its levels. InputError if the zoo has no such member.

    >>> import vitzoo
    >>> by_factor(vitzoo.open("zoos/nano").table())  # doctest: +SKIP
    """
    import pandas as pd

    rows = last_checkpoints(table)
    found = []
    for factor in varying(rows):
        share = eta_squared(rows["test_acc"], rows[factor.column])
        for level in levels(rows, factor.column):
            chosen = rows[rows[factor.column] == level]
            found.append({"factor": factor.label, "level": text(level), **_summary(chosen), "eta_squared": share})
    found.append({"factor": ALL, "level": "", **_summary(rows), "eta_squared": float("nan")})
    return pd.DataFrame(found)


def eta_squared(values: Series, groups: Series) -> float:
    """Return the share of variance that a grouping explains: sum of squares between groups over the total.

    η² = Σ_g n_g (x̄_g − x̄)² / Σ_i (x_i − x̄)². It describes these values and is not corrected for the number of
    groups, so a factor with many levels explains some variance by chance, (k − 1) / (n − 1) on average.
    Values without a group, or in the group of the unknown, are left out; NaN if the values do not vary.

    >>> import pandas as pd
    >>> eta_squared(pd.Series([1.0, 1.0, 3.0, 3.0]), pd.Series(["a", "a", "b", "b"]))
    1.0
    """
    known = values.notna() & groups.notna() & (groups != UNKNOWN)
    values, groups = values[known], groups[known]
    centred = values - values.mean()
    total = float((centred**2).sum())
    if len(values) == 0 or values.min() == values.max():
        return float("nan")
    between = float((centred.groupby(groups, observed=True).transform("mean") ** 2).sum())
    return between / total


def to_markdown(stats: DataFrame) -> str:
    """Write the result of ``by_factor`` as a Markdown table, in percent and percentage points (pp)."""
    lines: list[str] = [*HEADER]
    before = None
    for row in stats.to_dict("records"):
        first = row["factor"] != before
        before = row["factor"]
        cells = [
            f"**{row['factor']}**" if first else "",
            row["level"],
            str(row["n"]),
            _spread(row["acc_mean"], row["acc_std"]),
            f"{_percent(row['acc_min'])} – {_percent(row['acc_max'])}",
            _spread(row["gap_mean"], row["gap_std"]),
            f"{row['eta_squared']:.2f}" if first and row["eta_squared"] == row["eta_squared"] else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _summary(rows: DataFrame) -> dict[str, float | int]:
    accuracy, gap = rows["test_acc"], rows["gap"]
    return {
        "n": len(rows),
        "acc_mean": accuracy.mean(),
        "acc_std": accuracy.std(ddof=1),
        "acc_min": accuracy.min(),
        "acc_max": accuracy.max(),
        "gap_mean": gap.mean(),
        "gap_std": gap.std(ddof=1),
    }


def _spread(mean: float, std: float) -> str:
    """Write mean ± standard deviation; a value that is not known is a dash, a spread that is not known is left out."""
    if mean != mean:
        return "–"
    return _percent(mean) if std != std else f"{_percent(mean)} ± {_percent(std)}"


def _percent(fraction: float) -> str:
    rounded = round(100 * fraction, 1) + 0.0  # never "−0.0"
    return f"{rounded:.1f}".replace("-", "−")
