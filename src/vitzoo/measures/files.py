"""Weights as they lie in files: headers read and checked, nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vitzoo.errors import VitzooError
from vitzoo.measures import scopes
from vitzoo.measures.selection import LeftOut, Row, Selection
from vitzoo.measures.streaming import Run
from vitzoo.zoo import Checkpoint, safetensors_io
from vitzoo.zoo.layout import WEIGHTS

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class WeightFile:
    """A checkpoint to be read: its row in the catalogue, its tensors' shapes, and where each of its parts lies."""

    row: Row
    checkpoint: Checkpoint
    shapes: Shapes
    runs: dict[scopes.Part, Run]

    @property
    def sha256(self) -> str:
        """Digest of the file, as its manifest says."""
        return self.row["sha256"]

    @property
    def name(self) -> str:
        """Member and epoch, for people."""
        return f"{self.row['member']}, epoch {self.row['epoch']}"

    @property
    def backbone(self) -> Shapes:
        """Shapes of all tensors but the head's."""
        return {name: shape for name, shape in self.shapes.items() if not scopes.is_head(name)}


def open_all(rows: Iterable[Row], selection: Selection, left_out: list[LeftOut]) -> list[WeightFile]:
    """Read headers; files that are cut off or no safetensors are added to ``left_out``."""
    found = []
    for row in rows:
        checkpoint = selection.checkpoint(row)
        try:
            slots = safetensors_io.read_header(checkpoint.path / WEIGHTS)
        except VitzooError as error:
            left_out.append(LeftOut(f"{row['member']}, epoch {row['epoch']}", str(error).rstrip("."), damaged=True))
            continue
        shapes = {name: slot.shape for name, slot in slots.items()}
        runs = {}
        for part in scopes.parts(shapes):
            slot = slots[part.source]
            width = safetensors_io.DTYPES[slot.dtype][1]
            runs[part] = Run(slot.begin + part.begin * width, slot.dtype)
        found.append(WeightFile(row, checkpoint, shapes, runs))
    return found


def origins(files: Sequence[WeightFile], selection: Selection) -> list[Row]:
    """List the checkpoints that some came from and that are not among them."""
    own = {file.sha256 for file in files}
    wanted = {file.row["parent_sha256"] for file in files} - own - {None}
    if not wanted:
        return []
    rows = {row["sha256"]: row for row in selection.zoo.rows("stage = 'pretraining'")}
    return [rows[sha256] for sha256 in sorted(wanted) if sha256 in rows]


def distance_of(a: WeightFile, b: WeightFile) -> float:
    """Return the L2 distance of two backbones of one shape, by differences in float64, tensor by tensor."""
    total = 0.0
    for name in a.backbone:
        x, y = (file.checkpoint.tensors([name])[name].astype(np.float64) for file in (a, b))
        total += float(((x - y) ** 2).sum())
    return total**0.5
