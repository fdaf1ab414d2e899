"""The true lineage among some checkpoints of a zoo, under the two conventions of the literature.

Trajectory (T): a checkpoint comes from the one before it in its own training, and a run's first one from its parent.
Star (S): whatever was fine-tuned from a model comes from that model, at whatever epoch; pre-training stays a chain.
The paper does not say which convention its Table 3 uses; its text describes T for the set "Epochs" and reads as S for
the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, Any]
NONE = -1  # the parent of a model whose parent is not among the models


@dataclass(frozen=True)
class Truth:
    """Index of each model's parent [n], -1 where it has none here, under both conventions, and of its tree [n]."""

    trajectory: np.ndarray
    star: np.ndarray
    tree: np.ndarray

    @property
    def roots(self) -> np.ndarray:
        """Which models have no parent among the models, bool [n]."""
        return self.trajectory == NONE


def truth(rows: Sequence[Row]) -> Truth:
    """Return the true lineage among checkpoints, given as rows of the catalogue.

    Where a parent was left out, the nearest ancestor that is there takes its place.

    >>> sl = {"member": "sl", "parent_member": None, "parent_epoch": None}
    >>> ft = {"member": "ft", "parent_member": "sl", "parent_epoch": 9}
    >>> found = truth([{**ft, "epoch": 2}, {**sl, "epoch": 9}, {**ft, "epoch": 1}])
    >>> found.trajectory.tolist(), found.star.tolist(), found.tree.tolist()
    ([2, -1, 1], [1, -1, 1], [0, 0, 0])
    """
    runs: dict[str, list[tuple[int, int]]] = {}
    for i, row in enumerate(rows):
        runs.setdefault(row["member"], []).append((row["epoch"], i))
    origins = [_latest(runs, row["parent_member"], row["parent_epoch"]) for row in rows]
    before = [_latest(runs, row["member"], row["epoch"] - 1) for row in rows]
    trajectory = [own if own != NONE else origin for own, origin in zip(before, origins, strict=True)]
    star = [
        origin if row["parent_member"] is not None else own
        for row, own, origin in zip(rows, before, origins, strict=True)
    ]
    return Truth(np.array(trajectory), np.array(star), _trees(rows))


def _latest(runs: Mapping[str, list[tuple[int, int]]], member: str | None, epoch: int | None) -> int:
    """Index of a member's last checkpoint up to an epoch; -1 if there is none."""
    if member is None or epoch is None:
        return NONE
    return max((entry for entry in runs.get(member, []) if entry[0] <= epoch), default=(0, NONE))[1]


def _trees(rows: Sequence[Row]) -> np.ndarray:
    """Number the families: what descends from one pre-trained member, present or not."""
    names = [row["parent_member"] or row["member"] for row in rows]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])


def as_parents(parents: np.ndarray) -> np.ndarray:
    """Check that an array of parents [n] is a forest and return it as integers; ValueError says where it is none."""
    found = np.asarray(parents, dtype=np.int64)
    if found.ndim != 1 or ((found < NONE) | (found >= len(found))).any():
        raise ValueError(f"Parents must be indices below {len(found)}, or -1.")
    for start in range(len(found)):
        node, steps = start, 0
        while node != NONE:
            node, steps = int(found[node]), steps + 1
            if steps > len(found):
                raise ValueError(f"Model {start} is its own ancestor.")
    return found
