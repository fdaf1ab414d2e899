"""Moments of many numbers, in one pass, mergeable: count, mean and central sums of powers, in float64.

Reference: Pébay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical
moments" (2008). Skewness and kurtosis are those of the numbers themselves (biased, as scipy's default), kurtosis is
excess: 0 for a normal distribution.
"""

from collections.abc import Mapping

import numpy as np

from vitzoo.measures import powers

#: Columns of a row of moments: Mk is the sum of (x − mean)ᵏ.
COLUMNS = ("count", "mean", "m2", "m3", "m4")
BLOCK = 32768  # numbers at a time: in float64 with their squares they stay in a core's cache
_STATISTICS = ("mean", "std", "skewness", "kurtosis", "l2_norm")


def of_rows(x: np.ndarray) -> np.ndarray:
    """Return the moments of each row of x [M, N], float64 [M, 5].

    Powers are summed about a pivot near the mean, so no digits cancel, and in blocks that stay in cache.

    >>> of_rows(np.array([[1.0, 2.0, 3.0]], np.float32))[0].tolist()
    [3.0, 2.0, 2.0, 0.0, 2.0]
    """
    pivot = x[:, :BLOCK].mean(axis=1, dtype=np.float64)
    sums = powers.sums(x, pivot) if powers.serves(x) else _sums(x, pivot)
    return _central(x.shape[1], pivot, sums)


def _sums(x: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Return the sums of the first four powers of x - pivot [M, 4]."""
    members, n = x.shape
    sums = np.zeros((members, 4))
    width = min(n, BLOCK)
    height = max(1, BLOCK // width)
    ones, block, squares = np.ones((height, width)), np.empty((height, width)), np.empty((height, width))
    for top in range(0, members, height):
        rows = slice(top, min(top + height, members))
        h = rows.stop - rows.start
        for left in range(0, n, width):
            w = min(width, n - left)
            y, y2 = block[:h, :w], squares[:h, :w]
            np.copyto(y, x[rows, left : left + w])
            y -= pivot[rows, None]
            np.multiply(y, y, out=y2)
            for k, (a, b) in enumerate(((y, ones[:h, :w]), (y, y), (y2, y), (y2, y2))):
                sums[rows, k] += _inner(a, b)
    return sums


def merge(parts: np.ndarray) -> np.ndarray:
    """Merge the moments of disjoint sets: [..., T, 5] to [..., 5]; sets without numbers count nothing."""
    n, mean, m2, m3, m4 = np.moveaxis(parts, -1, 0)
    total = n.sum(-1)
    centre = (n * mean).sum(-1) / total
    d = mean - centre[..., None]
    return np.stack(
        [
            total,
            centre,
            (m2 + n * d**2).sum(-1),
            (m3 + 3 * d * m2 + n * d**3).sum(-1),
            (m4 + 4 * d * m3 + 6 * d**2 * m2 + n * d**4).sum(-1),
        ],
        axis=-1,
    )


def statistics(moments: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return mean, std, skewness, kurtosis (excess) and l2_norm of moments [..., 5], each [...].

    Skewness and kurtosis of numbers that do not vary are NaN.

    >>> {name: float(value) for name, value in statistics(of_rows(np.array([[3.0, 4.0]]))[0]).items()}["l2_norm"]
    5.0
    """
    n, mean, m2, m3, m4 = np.moveaxis(moments, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = np.sqrt(n) * m3 / m2**1.5
        kurtosis = n * m4 / m2**2 - 3
    norm = np.sqrt(m2 + n * mean**2)
    return dict(zip(_STATISTICS, (mean, np.sqrt(m2 / n), skewness, kurtosis, norm), strict=True))


def _inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the inner products of rows; one long row is faster as a vector."""
    return np.vecdot(a, b) if len(a) > 1 else a[0] @ b[0]


def _central(n: int, pivot: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Turn sums of powers about a pivot into count, mean and central sums [M, 5]."""
    s1, s2, s3, s4 = (sums[:, k] / n for k in range(4))
    m2 = np.maximum(s2 - s1**2, 0.0)
    m3 = s3 - 3 * s1 * s2 + 2 * s1**3
    m4 = s4 - 4 * s1 * s3 + 6 * s1**2 * s2 - 3 * s1**4
    return np.column_stack([np.full(len(sums), float(n)), pivot + s1, n * m2, n * m3, n * m4])
