"""Linear centred kernel alignment (Kornblith et al. 2019), debiased and in minibatches.

CKA(X, Y) = HSIC(K, L) / √(HSIC(K, K) · HSIC(L, L)) of the Gram matrices K = XXᵀ and L = YYᵀ of the features of the same
images. The biased HSIC calls any two representations similar once features outnumber images (Murphy et al. 2024,
arXiv 2405.01012), so HSIC₁ of Song et al. (2012) is used, whose mean over minibatches is unbiased at any batch size
(Nguyen et al. 2021). HSIC₁ of n images is ⟨K̃, L̃⟩ / n(n-3), the tilde being the U-centring of Székely and Rizzo (2014).

So a representation is one vector, its signature: the upper triangles of its U-centred Gram matrices over all
minibatches, with length 1; and CKA is the scalar product of two signatures. Near 0 it may be negative.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from vitzoo.errors import InputError

SMALLEST = 4  # images that HSIC₁ is defined for
CHUNK = 1 << 16  # columns of signatures that are made float64 at a time


def minibatches(count: int, size: int) -> list[np.ndarray]:
    """Cut positions 0 … count-1 into as few parts of at most ``size`` as there can be, as even as they can be.

    Even parts: a small rest at the end would weigh as much as the others and be far noisier.
    InputError if a part would have fewer than four images, for which HSIC₁ is not defined.

    >>> [len(part) for part in minibatches(360, 128)]
    [120, 120, 120]
    """
    parts = np.array_split(np.arange(count), math.ceil(count / max(size, 1)) or 1)
    if len(parts[-1]) < SMALLEST:
        raise InputError(
            f"{count} images in minibatches of {size} leave {len(parts[-1])} in one, but CKA needs at least "
            f"{SMALLEST} in each. Use more images or larger minibatches."
        )
    return parts


def u_centred(x: Tensor) -> Tensor:
    """Return the U-centred linear Gram matrices of features [..., n, D] as float64 [..., n, n]; n is at least 4.

    Rows and columns sum to 0, and so does the diagonal. Features that differ between images by no more than the
    rounding of their type have no similarity to speak of; their matrix is 0.

    >>> u_centred(torch.eye(4)).abs().max() < 1e-12  # no pair is more alike than another
    tensor(True)
    """
    n, rounding = x.shape[-2], 8 * torch.finfo(x.dtype).eps
    x = x.double()
    spread = x - x.mean(dim=-2, keepdim=True)  # does not change the result, only its rounding
    flat = spread.square().sum((-2, -1)) <= rounding**2 * x.square().sum((-2, -1))
    gram = spread @ spread.mT
    gram.diagonal(dim1=-2, dim2=-1).zero_()
    means = gram.sum(-1) / (n - 2)
    means -= means.sum(-1, keepdim=True) / (2 * (n - 1))
    gram -= means.unsqueeze(-1) + means.unsqueeze(-2)
    gram.diagonal(dim1=-2, dim2=-1).zero_()
    gram[flat] = 0
    return gram


def signatures(parts: Iterable[Tensor]) -> Tensor:
    """Return the signatures [..., Q], float64, of features given in minibatches [..., n, D].

    Q is the sum of n(n-1)/2. NaN where the features do not differ between images.
    """
    found = []
    for x in parts:
        n = x.shape[-2]
        row, column = torch.triu_indices(n, n, 1, device=x.device)
        found.append(u_centred(x)[..., row, column] / math.sqrt(n * (n - 3)))
    joined = torch.cat(found, dim=-1)
    length = torch.linalg.vector_norm(joined, dim=-1, keepdim=True)
    return joined / torch.where(length > 0, length, torch.nan)


def similarity_matrix(rows: np.ndarray) -> np.ndarray:
    """Return the CKA [R, R], float64, of all pairs of signatures [R, Q]; 1 on the diagonal, NaN where there is none."""
    found = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], CHUNK):
        part = rows[:, start : start + CHUNK].astype(np.float64)
        found += part @ part.T
    known = np.isfinite(np.diagonal(found))
    found[known, known] = 1.0  # up to rounding it is
    return found


def cka(x: Tensor, y: Tensor, batch: int | None = None) -> float:
    """Return the debiased linear CKA of features x [N, D] and y [N, E] of the same N images in the same order.

    ``batch``: images in a minibatch (default: all in one). The order should be random if there are several.

    >>> x = torch.eye(6)[:, :3]
    >>> round(cka(x, 2 * x.flip(1)), 6)
    1.0
    """
    if len(x) != len(y):
        raise InputError(f"The features are of {len(x)} and {len(y)} images; CKA compares the same images.")
    parts = minibatches(len(x), batch or len(x))
    a, b = (signatures(each[part] for part in parts) for each in (x, y))
    return float(a @ b)
