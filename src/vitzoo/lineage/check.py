"""Check a zoo's recorded lineage against its weights: is each fine-tuned member nearest to its recorded parent?

What was trained from a model lies nearer to it than to any other backbone, because steps of training hardly correlate
with the differences between backbones (and in nano, all 240 times). So another backbone that is nearer contradicts the
record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitzoo.errors import InputError
from vitzoo.lineage.gather import Tell, gather
from vitzoo.lineage.models import open_models

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """A member, the parent its record names, the backbone it is nearest to, and its distances (L2) from both."""

    member: str
    recorded: str
    nearest: str
    distance_recorded: float
    distance_nearest: float

    @property
    def holds(self) -> bool:
        """Whether the record names the nearest backbone."""
        return self.recorded == self.nearest

    def plain(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        return {**asdict(self), "holds": self.holds}


def check(zoo: "Zoo", tell: Tell = lambda done, total: None) -> list[Verdict]:
    """Compare every finished fine-tuned member's last checkpoint with all backbones that have children.

    InputError if there are none, or if backbones differ in shape. ``tell`` gets (done, total).
    """
    rows = [row for row in zoo.rows() if row["status"] == "finished"]
    children = [row for row in rows if row["parent_member"] is not None and row["is_last"]]
    origins = {(row["parent_member"], row["parent_epoch"]) for row in children}
    parents = [row for row in rows if (row["member"], row["epoch"]) in origins]
    if not children or not parents:
        raise InputError(f"{zoo.place} has no finished member with a finished parent, so no lineage to check.")
    models = open_models(zoo.weights([*parents, *children]))
    distances = np.sqrt(gather(models, tell).total[len(parents) :, : len(parents)])
    return [_verdict(row, parents, own) for row, own in zip(children, distances, strict=True)]


def _verdict(row: Row, parents: Sequence[Row], distances: np.ndarray) -> Verdict:
    """Judge one member by its distances from all parents; equal ones count for the record."""
    own = [i for i, parent in enumerate(parents) if _key(parent) == (row["parent_member"], row["parent_epoch"])]
    least = int(distances.argmin())
    found = own[0] if own and distances[own[0]] <= distances[least] else least
    recorded = float(distances[own[0]]) if own else float("inf")
    name = f"{row['parent_member']}@{row['parent_epoch']}"
    return Verdict(row["member"], name, "{}@{}".format(*_key(parents[found])), recorded, float(distances[found]))


def _key(row: Row) -> tuple[str, int]:
    return row["member"], row["epoch"]
