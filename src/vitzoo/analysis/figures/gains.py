"""What the figures of averages share: gains in percentage points against the best and the mean of the averaged."""

from vitzoo.measures.measurements import DataFrame

#: What an average is compared with: column, and how it is called.
AGAINST = {"best": "the best", "mean": "the mean"}


def gain(rows: DataFrame, column: str) -> DataFrame:
    """Return what averages gain over a column, in percentage points."""
    return 100 * (rows["average"] - rows[column])


def positive(values: DataFrame) -> str:
    """Say how many gains are above zero.

    >>> import pandas as pd
    >>> positive(pd.Series([1.0, 0.0, 2.0, -1.0]))
    '2 of 4 above zero (50 %)'
    """
    count = int((values > 0).sum())
    return f"{count:,} of {len(values):,} above zero ({100 * count / len(values):.0f} %)"
