"""The figure of recovered trees: what is in the middle of what, and what is said to be right."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vitzoo.analysis.figures import save, trees


@given(st.integers(0, 10**6), st.integers(1, 30))
def test_no_two_models_share_a_place_and_children_are_beyond_their_parent(seed, n):
    rng = np.random.default_rng(seed)
    parents = [int(rng.integers(-1, i)) if i else -1 for i in range(n)]
    places = trees.layout(parents)
    assert len({tuple(place) for place in places}) == n
    for child, parent in enumerate(parents):
        assert places[child, 0] == (places[parent, 0] + 1 if parent >= 0 else 0)


def test_the_figure_counts_right_edges_and_is_the_same_again(tmp_path):
    truth, found = [-1, 0, 1, 0], [-1, 0, 1, 2]
    for name in "ab":
        figure = trees.draw("a family", truth, {"ours": found}, ["root", "x", "x", "y"])
        save(figure, tmp_path / f"{name}.svg")
    assert [axes.get_title().splitlines()[1] for axes in figure.axes] == ["3 of 3 edges", "2 of 3 edges"]
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
