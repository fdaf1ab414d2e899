"""Mixed precision where the hardware multiplies bf16 itself."""

import torch

from peers.workload import Workload
from vitzoo.growing.execution import cpu_has_bf16


def autocast(w: Workload) -> torch.autocast:
    """Return autocast to bf16, switched off where bf16 would only be emulated."""
    has = torch.cuda.is_bf16_supported() if w.device == "cuda" else cpu_has_bf16()
    return torch.autocast(w.device, torch.bfloat16, enabled=has)
