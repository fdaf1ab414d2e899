"""The true lineage among rows of a catalogue."""

import numpy as np
import pytest

from vitzoo.lineage.truth import as_parents, truth


def row(member, epoch, parent=None, at=None):
    return {"member": member, "epoch": epoch, "parent_member": parent, "parent_epoch": at}


def test_both_conventions():
    rows = [row("sl", 9), row("a", 1, "sl", 9), row("a", 3, "sl", 9), row("b", 2, "sl", 9), row("cl", 4)]
    found = truth(rows)
    assert found.trajectory.tolist() == [-1, 0, 1, 0, -1]
    assert found.star.tolist() == [-1, 0, 0, 0, -1]
    assert found.tree.tolist() == [0, 0, 0, 0, 1]
    assert found.roots.tolist() == [True, False, False, False, True]


def test_a_parent_that_is_left_out_is_replaced_by_the_nearest_ancestor():
    rows = [row("sl", 3), row("sl", 9), row("a", 2, "sl", 5), row("b", 1, "cl", 9), row("b", 4, "cl", 9)]
    found = truth(rows)
    assert found.trajectory.tolist() == [-1, 0, 0, -1, 3]
    assert found.star.tolist() == [-1, 0, 0, -1, -1]
    assert found.tree.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("wrong", ([1, 0], [0], [5, -1], [-2]))
def test_what_is_no_forest_is_refused(wrong):
    with pytest.raises(ValueError, match=r"ancestor|indices"):
        as_parents(np.array(wrong))
