"""From uint8 to floats, and from [0, 1] to zero mean and unit deviation."""

import torch


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 to float32 in [0, 1]; floats pass.

    >>> to_float(torch.tensor([255], dtype=torch.uint8)).item()
    1.0
    """
    return images if images.is_floating_point() else images.float().div_(255)


def apply(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Subtract ``mean`` and divide by ``std``, both [3, 1, 1]."""
    return (images - mean).div_(std)
