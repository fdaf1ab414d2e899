"""Make ``import torchvision`` work beside a torch build that its compiled operators do not fit."""

import re

_MISSING = re.compile(r"operator (torchvision::\w+) does not exist")
_MOST = 8  # operators declared before giving up; today's torchvision misses two, nms and qnms


def ensure_torchvision() -> None:
    """Import torchvision, declaring the operators that it misses first, where that is needed.

    A CUDA build of torchvision beside a CPU build of torch cannot load its compiled operators, and then
    ``import torchvision`` (and so ``import timm``) fails with "operator torchvision::nms does not exist",
    although vitzoo uses the pure Python parts only. Declaring the names is enough for the import; calling such an
    operator still fails, as it should. Where torchvision is healthy this is a plain import and nothing else.

    Call it before any import of torchvision or timm. Raises whatever else goes wrong with the import.

    >>> ensure_torchvision()
    >>> import torchvision
    """
    for _ in range(_MOST):
        try:
            import torchvision
        except RuntimeError as error:
            missing = _MISSING.search(str(error))
            if missing is None:
                raise
            import torch

            # Both operators of today have this signature; nothing calls them, so only the name matters.
            torch.library.define(missing[1], "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        else:
            return
    import torchvision  # noqa: F401  # the last failure is the caller's to see
