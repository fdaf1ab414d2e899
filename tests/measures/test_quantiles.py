"""Quantiles against numpy's, and the ordering of floats that the search relies on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vitzoo.measures.quantiles import LEVELS, of_sorted, quantiles
from vitzoo.measures.selection import select
from vitzoo.zoo import Zoo

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
arrays = hnp.arrays(np.float32, st.integers(1, 30), elements=floats)


@given(st.lists(arrays, min_size=1, max_size=5))
def test_the_union_is_never_sorted_and_yet_exact(parts: list[np.ndarray]) -> None:
    found = of_sorted([np.sort(part) for part in parts])
    expected = np.quantile(np.concatenate(parts).astype(np.float64), LEVELS)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_of_a_zoo(zoo: Zoo) -> None:
    selection = select(zoo)
    found = quantiles(selection)
    assert found.computed == len(selection.rows) and not found.left_out
    row = selection.rows[-1]
    tensors = selection.checkpoint(row).tensors()
    whole = np.concatenate([t.ravel() for t in tensors.values()]).astype(np.float64)
    assert found.scopes[row["sha256"]]["all"] == pytest.approx(np.quantile(whole, LEVELS), rel=1e-12)
    q = tensors["blocks.0.attn.qkv.weight"][:8].astype(np.float64)
    place = found.parts[row["sha256"]].index("blocks.0.attn.q.weight")
    assert found.each[row["sha256"]][place] == pytest.approx(np.quantile(q, LEVELS), rel=1e-12)
    again = quantiles(selection)
    assert again.computed == 0
    assert again.scopes[row["sha256"]]["square"].tolist() == found.scopes[row["sha256"]]["square"].tolist()
