"""The Hessian of a model's mean cross-entropy on images, as something that multiplies vectors.

A product costs about as much as two gradients (Pearlmutter 1994); curvlinops computes it forward over reverse and sums
over batches. That differentiates attention twice, for which fused kernels have no derivative.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vitzoo.blueprint.schema import Backbone
from vitzoo.errors import VitzooError
from vitzoo.model.layout import Layout
from vitzoo.model.vit import forward

if TYPE_CHECKING:
    from curvlinops import HessianLinearOperator

Batches = Sequence[tuple[Tensor, Tensor]]


class _Model(nn.Module):
    """One member as a module with one parameter, its row of numbers [P]."""

    def __init__(self, row: Tensor, arch: Backbone) -> None:
        super().__init__()
        self.row, self.arch, self.layout = nn.Parameter(row), arch, Layout.of(arch)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] to outputs [B, C]."""
        params = self.layout.views(self.row.unsqueeze(0))
        return forward(params, images.unsqueeze(0), self.arch, kernels="plain")[0]


def hessian(row: Tensor, arch: Backbone, batches: Batches) -> "HessianLinearOperator":
    """Return the Hessian [P, P] of the mean cross-entropy at the weights ``row`` [P], in their type and place.

    ``batches`` are images [B, 3, S, S] and labels [B]; the mean is over all images of all batches. The operator has
    curvlinops' interface: ``@``, ``to_scipy()``, ``gradient_and_loss()``.
    VitzooError if curvlinops is not installed.
    """
    module, count = _Model(row, arch), sum(len(labels) for _, labels in batches)
    return _curvlinops().HessianLinearOperator(
        module,
        nn.CrossEntropyLoss(),
        [module.row],
        [(images.to(row.dtype), labels) for images, labels in batches],
        check_deterministic=False,  # nothing here draws, and the check costs two products
        num_data=count,
    )


def _curvlinops() -> Any:
    try:
        with warnings.catch_warnings():
            # What curvlinops imports and torch's own first forward derivative still use the deprecated torch.jit.
            warnings.simplefilter("ignore", DeprecationWarning)
            import curvlinops

            torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))
    except ImportError:
        raise VitzooError(
            "Curvature needs the package curvlinops-for-pytorch, which is not installed. "
            "Install it with: pip install 'vitzoo[curvature]'"
        ) from None
    return curvlinops


def loss_and_slope(operator: "HessianLinearOperator") -> tuple[float, float]:
    """Return the mean cross-entropy and the length of its gradient, 0 at a minimum."""
    with torch.enable_grad():
        (gradient,), loss = operator.gradient_and_loss()
    return float(loss), float(torch.linalg.vector_norm(gradient.double()))
