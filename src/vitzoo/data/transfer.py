"""From the host to a device without waiting for it."""

import numpy as np
import torch


def send(array: np.ndarray, device: torch.device | str, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Copy an array to a device, as ``dtype`` if one is named.

    A copy from ordinary memory to a CUDA device first waits for all work that was queued there; one from pinned
    memory is queued behind it, so the host can prepare the next step meanwhile.

    >>> send(np.arange(3), "cpu", torch.float32).tolist()
    [0.0, 1.0, 2.0]
    """
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if torch.device(device).type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device=device, dtype=dtype, non_blocking=True)
