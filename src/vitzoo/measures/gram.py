"""Distances between many vectors from one pass over them, exact also where children hardly left their parents.

‖a − b‖² = ‖a‖² + ‖b‖² − 2a·b loses all digits when a ≈ b, so vectors with a known reference (a child's parent) enter
as differences from it: D_i = x_i − x_ref(i) before anything is squared. Between members of one reference the
reference cancels; between others x_i = D_i + D_ref(i), and the inner products of x follow from those of D.
"""

import numpy as np

from vitzoo.measures import powers

BLOCK = 16384  # numbers per vector and product: float32 inside, float64 between
#: Below this share of ‖D_i‖² + ‖D_j‖² a squared distance has lost too many of float32's digits.
CLOSE = 1e-3


class Gram:
    """Sums the inner products of M vectors that arrive in pieces.

    ``reference`` [M] gives for each vector the index of its reference, which must have none itself, or -1. Without
    ``pairwise`` only the squared lengths of the differences are summed.
    """

    def __init__(self, reference: np.ndarray, pairwise: bool = True) -> None:
        self.reference = np.asarray(reference)
        members = len(self.reference)
        self.pairwise = pairwise
        self.products = np.zeros((members if pairwise else 0,) * 2)
        self.squares = np.zeros(members)
        # Kept between pieces: fresh memory costs as much as the arithmetic.
        self._differences = np.empty(members * BLOCK, np.float32)
        self._wide = np.empty(BLOCK)

    def add(self, x: np.ndarray) -> None:
        """Take the next piece of all vectors, float32 [M, N]."""
        members, n = x.shape
        for left in range(0, n, BLOCK):
            width = min(BLOCK, n - left)
            d = self._differences[: members * width].reshape(members, width)
            for i, parent in enumerate(self.reference):
                own = x[i, left : left + width]
                self.squares[i] += self._enter(d[i], own, x[parent, left : left + width] if parent >= 0 else None)
            if self.pairwise:
                self.products += d @ d.T  # NumPy computes one triangle and, unlike SciPy's syrk, lets threads run

    def _enter(self, d: np.ndarray, own: np.ndarray, reference: np.ndarray | None) -> float:
        """Write the difference from the reference, if there is one, to d [N], and return its squared length."""
        if reference is not None and powers.serves(own, reference):
            return powers.difference(own, reference, d)
        if reference is None:
            d[:] = own
        else:
            np.subtract(own, reference, out=d)
        wide = self._wide[: len(d)]
        np.copyto(wide, d)
        return float(wide @ wide)


def distances(
    products: np.ndarray, squares: np.ndarray, reference: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return distances [M, M] from inner products of differences D (upper triangle) and their squared lengths [M].

    >>> d, close = distances(np.array([[25.0, 3.0], [0.0, 1.0]]), np.array([25.0, 1.0]), np.array([-1, 0]))
    >>> d.tolist(), close  # the second is at distance 1 from the first, its reference
    ([[0.0, 1.0], [1.0, 0.0]], [])
    """
    gram = np.triu(products, 1)
    gram = gram + gram.T
    np.fill_diagonal(gram, squares)
    root = np.where(reference >= 0, reference, np.arange(len(reference)))
    share = np.eye(len(reference))
    children = np.flatnonzero(reference >= 0)
    share[children, reference[children]] = 1.0  # x = share @ D
    absolute = share @ gram @ share.T
    same = root[:, None] == root[None, :]
    inner = _differences(gram)
    # A reference is its own root, and its D is not a difference: to its children the distance is their D's length.
    own = np.where(reference >= 0, squares, 0.0)
    is_root = reference < 0
    inner = np.where(is_root[:, None] | is_root[None, :], own[:, None] + own[None, :], inner)
    squared = np.where(same, inner, _differences(absolute))
    scale = np.where(same, own[:, None] + own[None, :], np.add.outer(np.diag(absolute), np.diag(absolute)))
    close = (squared < CLOSE * scale) & (scale > 0)
    np.fill_diagonal(squared, 0.0)
    pairs = [(int(i), int(j)) for i, j in np.argwhere(np.triu(close, 1))]
    return np.sqrt(np.maximum(squared, 0.0)), pairs


def _differences(gram: np.ndarray) -> np.ndarray:
    lengths = np.diag(gram)
    return lengths[:, None] + lengths[None, :] - 2 * gram
