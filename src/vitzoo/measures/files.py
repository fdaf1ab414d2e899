"""Weights as they lie in files: headers read and checked, nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vitzoo.errors import IntegrityError, VitzooError
from vitzoo.measures import scopes
from vitzoo.measures.selection import LeftOut, Row, Selection, name_of, reason
from vitzoo.measures.streaming import Run
from vitzoo.zoo import Checkpoint
from vitzoo.zoo.layout import WEIGHTS
from vitzoo.zoo.safetensors_header import DTYPES

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
        return name_of(self.row)

    @cached_property
    def backbone(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of all tensors but the head's; checkpoints with equal ones have a distance."""
        return tuple((name, shape) for name, shape in self.shapes.items() if not scopes.is_head(name))


def open_all(rows: Iterable[Row], selection: Selection, left_out: list[LeftOut]) -> list[WeightFile]:
    """Read headers; files that are cut off, empty or no safetensors are added to ``left_out``."""
    found, wanted = [], list(rows)
    selection.zoo.files.ahead((lambda row=row: selection.checkpoint(row).header() for row in wanted), "Reading headers")
    for row in wanted:
        try:
            found.append(_open(row, selection.checkpoint(row)))
        except VitzooError as error:
            why = reason(error, selection.zoo)
            left_out.append(LeftOut(name_of(row), why, damaged=True))
    return found


def _open(row: Row, checkpoint: Checkpoint) -> WeightFile:
    slots = checkpoint.header()
    if not slots or any(0 in slot.shape for slot in slots.values()):
        raise IntegrityError(f"{checkpoint.place}/{WEIGHTS} holds no tensors, or one without numbers.")
    shapes = {name: slot.shape for name, slot in slots.items()}
    runs = {}
    for part in scopes.parts(shapes):
        slot = slots[part.source]
        width = DTYPES[slot.dtype][1]
        runs[part] = Run(slot.begin + part.begin * width, slot.dtype)
    return WeightFile(row, checkpoint, shapes, runs)


def origins(files: Sequence[WeightFile], selection: Selection) -> list[Row]:
    """List the checkpoints that some came from and that are not among them."""
    own = {file.sha256 for file in files}
    wanted = {file.row["parent_sha256"] for file in files} - own - {None}
    if not wanted:
        return []
    columns = ["member", "epoch", "sha256", "parent_sha256"]
    rows = {row["sha256"]: row for row in selection.zoo.rows(columns=columns)}  # a parent may have parents itself
    return [rows[sha256] for sha256 in sorted(wanted) if sha256 in rows]


def distance_of(a: WeightFile, b: WeightFile) -> float:
    """Return the L2 distance of two backbones of one shape, by differences in float64, tensor by tensor."""
    total = 0.0
    for name, _ in a.backbone:
        x, y = (file.checkpoint.tensors([name])[name].astype(np.float64) for file in (a, b))
        total += float(((x - y) ** 2).sum())
    return total**0.5
