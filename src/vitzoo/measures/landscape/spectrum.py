"""The largest eigenvalues and the trace of a symmetric matrix that can only be multiplied by vectors.

Eigenvalues: the implicitly restarted Lanczos method of ARPACK (Lehoucq, Sorensen and Yang 1998), by SciPy. Trace:
Hutchinson's (1989) mean of gᵀHg over random signs g, taken only outside the space of the eigenvectors found, where the
trace is known; as Hutch++ (Meyer et al. 2021), but with Lanczos vectors, which the sketch of Hutch++ approximates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vitzoo import rng
from vitzoo.errors import VitzooError

TOLERANCE = 1e-4  # relative, of eigenvalues: products in float32 are no better than about 1e-6
RESTARTS = 100  # of the Lanczos method, before it is given up


class SpectrumError(VitzooError):
    """A spectrum that the Lanczos method does not find."""


#: A symmetric matrix [P, P]: an array, or a SciPy LinearOperator.
Symmetric = Any


@dataclass(frozen=True, eq=False)
class Top:
    """The algebraically largest eigenvalues [k], falling, their vectors [P, k], and bounds of their errors [k].

    ``errors`` are lengths of Hv - λv: within that of λ there is an eigenvalue (Parlett 1980, theorem 4.5.1).
    """

    values: np.ndarray
    vectors: np.ndarray
    errors: np.ndarray


def top(matrix: Symmetric, count: int, seed: int = 0) -> Top:
    """Find the ``count`` largest eigenvalues; fewer than P. SpectrumError if the Lanczos method does not converge.

    >>> top(np.diag(np.arange(30.0)), 2).values.round(6).tolist()
    [29.0, 28.0]
    """
    from scipy.sparse.linalg import ArpackError, eigsh

    start = rng.stream(seed, "lanczos").standard_normal(matrix.shape[0])
    try:
        tolerance: Any = TOLERANCE  # SciPy's default is 0, from which its type is inferred
        _, vectors = eigsh(matrix, k=count, which="LA", v0=start, tol=tolerance, maxiter=RESTARTS)
    except ArpackError as error:
        raise SpectrumError(f"The Lanczos method found no {count} largest eigenvalues: {error}") from None
    vectors = np.linalg.qr(vectors)[0]  # orthonormal to the last digit, which the trace relies on
    products = _products(matrix, vectors)
    values = (vectors * products).sum(axis=0)
    errors = np.linalg.norm(products - vectors * values, axis=0)
    order = np.argsort(-values)
    return Top(values[order], vectors[:, order], errors[order])


def trace(matrix: Symmetric, known: Top, probes: int, seed: int = 0) -> tuple[float, float]:
    """Estimate the trace without bias, and the standard error of the estimate, from at least two probes.

    ``known``: what ``top`` returned. Any orthonormal vectors with their Rayleigh quotients would do.
    """
    found = []
    for probe in range(probes):
        signs = rng.stream(seed, "trace", probe).integers(0, 2, matrix.shape[0]) * 2.0 - 1.0
        outside = signs - known.vectors @ (known.vectors.T @ signs)
        found.append(float(outside @ (matrix @ outside)))
    rest = np.array(found)
    return float(known.values.sum() + rest.mean()), float(rest.std(ddof=1) / np.sqrt(probes))


def _products(matrix: Symmetric, vectors: np.ndarray) -> np.ndarray:
    # One at a time: products of several vectors at once need as many times the memory.
    return np.stack([matrix @ vector for vector in vectors.T], axis=1)
