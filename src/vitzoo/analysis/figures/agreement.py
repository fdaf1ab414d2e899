"""Agreement between all fine-tuned members, ordered by lineage: the share of test images with equal predictions."""

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from vitzoo.analysis.figures import lineage, matrix
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements


def draw(m: Measurements) -> Figure:
    """Return the figure: agreement in percent between members that were evaluated on the same images.

    InputError if there are no two such members.
    """
    rows = lineage.ordered(m)
    rows = rows[rows["stage"] == "finetuning"]
    values = _between(m, rows.index.to_numpy())
    met = np.isfinite(values).any(1)
    if not met.any():
        raise InputError(f"No two fine-tuned members of {m.zoo} were evaluated on the same images: nothing to compare.")
    others, rows = len(rows) - int(met.sum()), rows[met]
    values = 100 * values[np.ix_(met, met)]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scale = Normalize(low, high if high > low else low + 1)
    square = matrix.Square(rows, values, "agreement: equal predictions (%)", scale)
    note = "share of test images on which two members predict the same class; grey: the diagonal and what is unknown"
    note += f"; {others:,} members without predictions not shown" if others else ""
    return matrix.draw(square, f"{m.zoo}: agreement, n = {len(rows):,} fine-tuned members", note)


def _between(m: Measurements, index: np.ndarray) -> np.ndarray:
    """Return the agreement of these members with each other, and NaN of each with itself."""
    values = m.agreement[np.ix_(index, index)].astype(float)
    np.fill_diagonal(values, np.nan)
    return values
