"""Weights of checkpoints as rows of numbers: read when they are first needed, kept while there is room."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import torch
from torch import Tensor

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.inference import read_row
from vitzoo.measures.selection import LeftOut, Row, Selection, name_of, reason
from vitzoo.merging.average import uniform
from vitzoo.model.layout import Layout

ROOM = 1 << 30  # bytes of weights that are kept: all children of a backbone in a small zoo, a dozen ViT-S


class Shelf:
    """Checkpoints of one architecture as rows [P]; those that cannot be read are NaN, and ``left_out`` says why."""

    def __init__(self, selection: Selection, layout: Layout, room: int = ROOM) -> None:
        self.selection, self.layout = selection, layout
        self.left_out: dict[str, LeftOut] = {}
        self.reads = 0
        self._count = max(1, room // (4 * layout.width))
        self._rows: OrderedDict[str, Tensor] = OrderedDict()  # the latest used last
        self._lock = Lock()

    def averages(self, wanted: Sequence[Sequence[Row]]) -> Tensor:
        """Return the uniform averages [S, P] of some checkpoints each."""
        return torch.stack([uniform(torch.stack([self.row(row) for row in rows])) for rows in wanted])

    def row(self, row: Row) -> Tensor:
        """Return the weights of one checkpoint."""
        name = name_of(row)
        with self._lock:  # of two stacks that need a checkpoint one reads it
            if name not in self._rows:
                self._rows[name] = self._read(row, name)
                if len(self._rows) > self._count:
                    self._rows.popitem(last=False)
            self._rows.move_to_end(name)
            return self._rows[name]

    def is_sound(self, row: Row) -> bool:
        """Say whether a checkpoint could be read when it was needed."""
        return name_of(row) not in self.left_out

    def _read(self, row: Row, name: str) -> Tensor:
        self.reads += 1
        try:
            return read_row(self.selection.checkpoint(row), self.layout)
        except (IntegrityError, InputError) as error:
            self.left_out[name] = LeftOut(name, reason(error, self.selection.zoo), damaged=True)
            return torch.full((self.layout.width,), torch.nan)
