"""Distances between all members, ordered by lineage: families are dark squares on the diagonal."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from vitzoo.analysis.figures import lineage, matrix
from vitzoo.analysis.figures.embedding import comparable
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements

DECADES = 3  # of the scale below the largest distance; what is closer is as dark as the end of the scale


def draw(m: Measurements) -> Figure:
    """Return the figure: L2 distances between backbones' weights on a logarithmic scale.

    Shown are the members of the most frequent shape. InputError if no two members have a known distance above 0.
    """
    rows = lineage.ordered(m)
    rows = rows[rows.index.isin(comparable(m.distances))]
    values = m.distances[np.ix_(rows.index, rows.index)].astype(float)
    values = np.where(values > 0, values, np.nan)
    if not np.isfinite(values).any():
        raise InputError(f"No two members of {m.zoo} have a known distance, so there is no matrix of distances.")
    high = float(np.nanmax(values))
    low = max(float(np.nanmin(values)), high / 10**DECADES)
    scale = LogNorm(low, high if high > low else 2 * low, clip=True)
    square = matrix.Square(rows, values, "L2 distance between backbone weights (no unit)", scale)
    others = len(m.members) - len(rows)
    note = (
        "logarithmic scale, without heads; grey: the diagonal and equal weights; a backbone stands before its children"
    )
    note += f"; {others:,} members of other shapes not shown" if others else ""
    return matrix.draw(square, f"{m.zoo}: distances in weight space, n = {len(rows):,} members", note)
