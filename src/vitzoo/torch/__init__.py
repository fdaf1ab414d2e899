"""Checkpoints as training data: a zoo as ``torch.utils.data`` datasets for models that learn from weights.

    zoo = vitzoo.open("zoos/nano")
    data = Checkpoints(zoo, "stage = 'finetuning'", part="backbone", targets="test_acc")
    for x, y in DataLoader(data, batch_size=16): ...  # x float32 [16, P], y float32 [16]

``datasets`` has both kinds, map-style and streaming; ``tokens`` cuts weights into rows, ``targets`` turns columns of
the catalogue into tensors, ``families`` splits so that nothing leaks, ``transforms`` changes weights and not functions.
docs/torch.md shows them together.
"""

from vitzoo.torch.collate import pad
from vitzoo.torch.datasets import Checkpoints, Stream
from vitzoo.torch.families import folds, split
from vitzoo.torch.tokens import TokenLayout
from vitzoo.torch.transforms import About, Align, Canonical, Permute, Turn

__all__ = [
    "About",
    "Align",
    "Canonical",
    "Checkpoints",
    "Permute",
    "Stream",
    "TokenLayout",
    "Turn",
    "folds",
    "pad",
    "split",
]
