"""Target ``npz``: one float32 matrix [n, P] with a row per checkpoint, a table of its columns and one of its rows.

``weights.npy``, ``layout.csv`` and ``metrics.csv``, as in the Small CNN Zoo (Unterthiner et al. 2020). The matrix is a
file of its own, because within a zip, which an .npz is, NumPy cannot map it into memory: whoever wanted one row would
read all. No pickle.
"""

import csv
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError
from vitzoo.measures.selection import name_of
from vitzoo.sharing.exporting import files
from vitzoo.sharing.exporting.contract import Exporter, Item, Order, Survey, Tell
from vitzoo.sharing.exporting.each import each
from vitzoo.sharing.exporting.heads import HEAD
from vitzoo.sharing.exporting.matrix import BYTES, matrix
from vitzoo.sharing.exporting.surveying import read_ahead
from vitzoo.zoo.layout import WEIGHTS

if TYPE_CHECKING:
    Shapes = dict[str, tuple[int, ...]]

MATRIX, LAYOUT, METRICS = "weights.npy", "layout.csv", "metrics.csv"
EXACT = ("F16", "BF16", "F32")  # every value of these types is one of float32
LEFT_OUT = ("path", "size")  # columns that speak of the zoo's files
USAGE = """\
`{matrix}` is float32, a row per checkpoint; `{metrics}` has the same rows with their factors and metrics; `{layout}`
says which columns are which tensor. Lists in them are JSON.

```python
import json

import numpy as np
import pandas as pd

weights = np.load("{matrix}", mmap_mode="r")
metrics = pd.read_csv("{metrics}")
layout = pd.read_csv("{layout}", index_col="name")


def tensor(row, name):
    begin, end, shape = layout.loc[name, ["begin", "end", "shape"]]
    return weights[row, begin:end].reshape(json.loads(shape))
```
"""


def survey(order: Order, tell: Tell) -> Survey:
    """Check that all checkpoints have tensors of one shape, whose values float32 holds exactly."""
    read_ahead(order)
    first = _shapes(order.items[0], order.part)
    for done, item in enumerate(order.items, 1):
        shapes = _shapes(item, order.part)
        if shapes != first:
            _refuse(first, shapes, order.items[0], item)
        tell("Checking", done, len(order.items))
    size = BYTES * len(order.items) * sum(map(math.prod, first.values()))
    return Survey(5, size + 1_500 * len(order.items))


def write(order: Order, folder: Path, tell: Tell) -> tuple[str, ...]:
    """Write the matrix and the tables; the digests of the weights are checked as they are read."""
    shapes = _shapes(order.items[0], order.part)
    width = sum(map(math.prod, shapes.values()))
    _write_layout(folder / LAYOUT, shapes)
    _write_metrics(folder / METRICS, order)
    with matrix(folder / MATRIX, len(order.items), width) as put:

        def one(index: int) -> None:
            tensors = files.checked(order.items[index].checkpoint)
            put(index, (tensors[name] for name in shapes))

        each(one, range(len(order.items)), "Exporting", tell)
    return (f"The matrix is {len(order.items):,} × {width:,}: a row per checkpoint, its {order.part}.",)


def usage(order: Order) -> str:
    """Say how the matrix is opened."""
    return USAGE.format(matrix=MATRIX, metrics=METRICS, layout=LAYOUT)


def _shapes(item: Item, part: str) -> "Shapes":
    """Return the shapes of a part's tensors in the file's order. InputError if there are none, or not of floats."""
    slots = {
        name: slot
        for name, slot in item.checkpoint.header().items()
        if part == "model" or name.startswith(HEAD) == (part == "head")
    }
    if not slots:
        raise InputError(f"{name_of(item.row)}, has no {part}. Narrow the condition, or take another --part.")
    for name, slot in slots.items():
        if slot.dtype not in EXACT:
            raise InputError(
                f"{item.checkpoint.place}/{WEIGHTS}, tensor {name!r}: float32 does not hold all values of {slot.dtype}."
            )
    return {name: slot.shape for name, slot in slots.items()}


def _refuse(a: "Shapes", b: "Shapes", first: Item, other: Item) -> None:
    """InputError names the first tensor that two checkpoints do not have alike; their order may differ."""
    for name in {**a, **b}:
        if a.get(name) != b.get(name):
            raise InputError(
                f"A matrix needs checkpoints of one shape: the tensor {name!r} is {_said(a.get(name))} in "
                f"{name_of(first.row)}, and {_said(b.get(name))} in {name_of(other.row)}. Narrow --where, or take "
                "--part backbone."
            )


def _said(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))


def _write_layout(path: Path, shapes: "Shapes") -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["name", "begin", "end", "shape"])
        begin = 0
        for name, shape in shapes.items():
            lines.writerow([name, begin, begin := begin + math.prod(shape), json.dumps(shape)])


def _write_metrics(path: Path, order: Order) -> None:
    columns = [name for name in order.items[0].row if name not in LEFT_OUT]
    with path.open("x", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["row", *columns])
        for index, item in enumerate(order.items):
            lines.writerow([index, *(_cell(item.row[name]) for name in columns)])


def _cell(value: Any) -> Any:
    """Write a value of the catalogue: numbers exactly, lists as JSON, text such that no spreadsheet runs it."""
    from vitzoo.analysis.tables import escape  # only here: it comes with the tables

    if isinstance(value, list | tuple | dict):
        return json.dumps(value)
    return escape.csv(value) if isinstance(value, str) else value


def _at_row(order: Order, index: int) -> dict[str, Any]:
    return {"row": index}


EXPORTER = Exporter(
    "npz",
    "one matrix of weights with tables of its rows and columns, for NumPy",
    survey,
    write,
    _at_row,
    usage,
    frozenset({"part"}),
)
