"""A float32 matrix as a .npy file whose rows are written as they come, by several threads; none is kept in memory."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.sharing.exporting.files import write_all

if TYPE_CHECKING:
    import numpy as np

BYTES = 4  # of a number
ALIGNED = 64  # bytes; where NumPy lets the data of a file begin
Put = Callable[[int, "Iterable[np.ndarray]"], None]


@contextmanager
def matrix(path: Path, rows: int, width: int) -> Iterator[Put]:
    """Make the file and yield what writes a row: its number, and arrays that have ``width`` numbers together.

    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with matrix(Path(place) / "m.npy", 2, 3) as put:
    ...         put(1, [np.ones(1), np.full((1, 2), 5)])
    ...     np.load(Path(place) / "m.npy")
    array([[0., 0., 0.],
           [1., 5., 5.]], dtype=float32)
    """
    with path.open("xb", buffering=0) as file:
        start = file.write(_head(rows, width))
        file.truncate(start + BYTES * rows * width)

        def put(row: int, arrays: "Iterable[np.ndarray]") -> None:
            place, end = start + BYTES * width * row, start + BYTES * width * (row + 1)
            for array in arrays:
                data = array.astype("<f4", order="C", copy=False).reshape(-1)
                write_all(file.fileno(), data.view("u1").data, place)
                place += data.nbytes
            assert place == end, "a row has as many numbers as the matrix is wide"

        yield put


def _head(rows: int, width: int) -> bytes:
    from numpy.lib import format as npy

    out = io.BytesIO()
    npy.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)})
    assert out.tell() % ALIGNED == 0, "mapped rows are aligned"
    return out.getvalue()
