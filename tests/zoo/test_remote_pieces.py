"""Stretches of files: what must be fetched, and what of it is read back."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitzoo.zoo.remote.pieces import GAP, Pieces, Span, lacking
from vitzoo.zoo.safetensors_header import Slot

SPANS = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)).map(lambda p: (p[0], p[0] + p[1])), max_size=30
)


def inside(span: Span, stretches: list[Span]) -> bool:
    return any(begin <= span[0] and span[1] <= end for begin, end in stretches)


@given(SPANS, SPANS)
def test_what_is_wanted_lies_in_one_stretch_and_nothing_comes_twice(wanted: list[Span], known: list[Span]) -> None:
    found = lacking(wanted, known)
    assert all(inside(span, [*found, *known]) for span in wanted if span[0] < span[1])
    assert all(a[1] + GAP < b[0] for a, b in pairwise(found))
    needed = [span for span in wanted if span[0] < span[1] and not inside(span, known)]
    assert {begin for begin, _ in found} <= {begin for begin, _ in needed}
    assert {end for _, end in found} <= {end for _, end in needed}


def test_one_tensor_is_one_stretch_of_its_own_size() -> None:
    assert lacking([(500_000, 500_100)], [(0, 16384)]) == [(500_000, 500_100)]


def test_neighbours_come_together_and_empty_tensors_do_not_come() -> None:
    assert lacking([(10, 20), (20, 30), (30 + GAP, 40 + GAP), (5, 5)], []) == [(10, 40 + GAP)]


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    data = np.arange(100, dtype="<f4").tobytes()
    pieces = Pieces(tmp_path / "pieces")
    pieces.add(0, 40, [data[:40]])
    pieces.add(200, 400, [data[200:300], data[300:]])
    slots = {
        "a": Slot("F32", (2, 5), 240, 280),
        "b": Slot("BF16", (3,), 0, 6),
        "none": Slot("F32", (0, 3), 77, 77),
    }
    found = pieces.read(slots, "example")
    assert (found["a"] == np.arange(60, 70, dtype="f4").reshape(2, 5)).all()
    assert found["b"].dtype == np.float32 and found["none"].shape == (0, 3)
    assert pieces.start() == data[:40]


def test_a_stretch_that_was_cut_off_counts_as_not_there(tmp_path: Path) -> None:
    pieces = Pieces(tmp_path)
    pieces.add(0, 40, [bytes(40)])
    (tmp_path / "0-40").write_bytes(bytes(39))
    (tmp_path / "notes").write_text("no stretch")
    assert pieces.known() == [] and pieces.start() == b""


def test_nothing_is_kept_of_a_stretch_that_fails(tmp_path: Path) -> None:
    def failing():
        yield bytes(10)
        raise ValueError("cut off")

    pieces = Pieces(tmp_path / "pieces")
    with pytest.raises(ValueError, match="cut off"):
        pieces.add(0, 20, failing())
    assert list((tmp_path / "pieces").iterdir()) == []
