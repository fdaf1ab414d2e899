"""Numbers of a group of members: the spread of a column over members, and of a matrix over pairs of members.

Standard deviations are of the sample (n - 1). What is not known (NaN) is not counted, and n says how much was.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vitzoo.analysis.tables.table import Spread
from vitzoo.measures.measurements import DataFrame

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

PERCENT = 100.0


def spread(values: "ArrayLike", unit: float = 1.0) -> Spread:
    """Return mean, standard deviation and number of the known values, times ``unit``.

    >>> spread([0.25, 0.5, 0.75, float("nan")], 100)
    Spread(mean=50.0, std=25.0, n=3)
    >>> spread([3.0]), spread([])
    (Spread(mean=3.0, std=None, n=1), Spread(mean=nan, std=None, n=0))
    """
    known = np.asarray(values, dtype=float) * unit
    known = known[~np.isnan(known)]
    if len(known) == 0:
        return Spread(float("nan"), None, 0)
    return Spread(float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else None, len(known))


def of(rows: DataFrame, column: str, unit: float = 1.0) -> Spread:
    """Return the spread of a column over members."""
    return spread(rows[column].to_numpy(dtype=float), unit)


def pairs(matrix: np.ndarray, rows: DataFrame) -> np.ndarray:
    """Return a symmetric matrix's values for all pairs of these members, each pair once.

    >>> import pandas as pd
    >>> pairs(np.arange(9.0).reshape(3, 3), pd.DataFrame(index=[0, 2])).tolist()
    [2.0]
    """
    where = rows.index.to_numpy()
    return matrix[np.ix_(where, where)][np.triu_indices(len(where), 1)]


def across(matrix: np.ndarray, rows: DataFrame, others: DataFrame) -> np.ndarray:
    """Return a matrix's values for all pairs of one member of ``rows`` and one of ``others``."""
    return matrix[np.ix_(rows.index.to_numpy(), others.index.to_numpy())].ravel()


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Pool the values of several blocks of pairs."""
    return np.concatenate([np.empty(0), *parts])


def unknown(values: np.ndarray, say: Callable[[int, int], str]) -> list[str]:
    """Return one note if some of these values are not known; ``say`` takes how many, and of how many."""
    missing = int(np.isnan(values).sum())
    return [say(missing, len(values))] if missing else []
