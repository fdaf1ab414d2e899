"""Means over pairs of members of different backbones, from a matrix over members."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitzoo.measures.measurements import DataFrame

if TYPE_CHECKING:
    import numpy as np


def between(matrix: "np.ndarray", rows: DataFrame, member: str = "parent_member") -> DataFrame:
    """Return a square table over backbones: the mean of ``matrix`` over pairs of rows, one of each backbone.

    ``rows`` are indexed as the matrix, ``member`` is their column with the backbone's name. Unknown entries (NaN) do
    not count; NaN where none is known, and on the diagonal.
    """
    import numpy as np
    import pandas as pd

    places = {name: list(group.index) for name, group in rows.groupby(member)}
    found = pd.DataFrame(np.nan, index=list(places), columns=list(places))
    for one in places:
        for other in places:
            block = matrix[np.ix_(places[one], places[other])]
            if one != other and not np.isnan(block).all():
                found.loc[one, other] = np.nanmean(block)
    return found


def mean(table: DataFrame, kept: Sequence[str]) -> float:
    """Return the mean over pairs of the backbones in ``kept``; NaN if none is known.

    >>> import pandas as pd
    >>> table = pd.DataFrame([[float("nan"), 2.0], [2.0, float("nan")]], index=["a", "b"], columns=["a", "b"])
    >>> float(mean(table, ["a", "b"])), float(mean(table, ["a"]))
    (2.0, nan)
    """
    return table.loc[list(kept), list(kept)].stack().mean()
