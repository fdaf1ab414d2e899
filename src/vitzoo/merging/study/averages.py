"""What averages within a lineage do, as tables."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from vitzoo.measures.plain import finite
from vitzoo.measures.selection import LeftOut

# pandas has no stubs here, and the types inferred from its source are unions that fit nothing.
DataFrame: TypeAlias = Any


@dataclass(frozen=True, eq=False)
class Averages:
    """Uniform averages of checkpoints of a zoo's fine-tuned members, on the whole test split, in float32.

    All accuracies and gaps are fractions, losses nats. What is compared with an average was evaluated in the same way.

    last: how many checkpoints an average over epochs is of.
    members: one row per member, the average of its last checkpoints; ``member``, its factors and those of its parent,
        ``average``, ``average_loss``; of the averaged ``best``, ``mean`` and ``final``, the last one's, accuracy; and
        ``gap``, training (without augmentation) minus test accuracy of the last (NaN where it was not recorded).
    soups: one row per average of members that differ in one factor alone; ``factor``, ``levels`` and ``members`` of it
        (tuples), the factors they share (None for the one they do not), ``average``, ``average_loss``, ``best``,
        ``mean``.
    windows: one row per member and epoch that is kept after training began; ``member``, ``parent_member``, ``epoch``,
        ``plain``, and ``average`` of the ``last`` checkpoints up to it (NaN where there are not so many).
    left_out: what is not in here, and why.
    notes: what else a reader should know, whole sentences.
    """

    zoo: str
    last: int
    members: DataFrame
    soups: DataFrame
    windows: DataFrame
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def improving(self, optimizer: str) -> tuple[int, int]:
        """Return how many members of an optimizer have an average above the mean of the averaged, and of how many."""
        rows = self.members[self.members["optimizer"] == optimizer]
        return int((rows["average"] > rows["mean"]).sum()), len(rows)

    def course(self) -> DataFrame:
        """Return the windows of the members that have them at the most frequent set of epochs.

        Then means over members at different epochs are of the same members.
        """
        known = self.windows["epoch"].where(self.windows["average"].notna())
        epochs = known.groupby(self.windows["member"]).agg(lambda own: tuple(own.dropna()))
        if epochs.empty:
            return self.windows
        plain = self.windows.groupby("member")["epoch"].agg(tuple)
        sets = [*zip(plain, epochs, strict=True)]
        usual = max(dict.fromkeys(sets), key=sets.count)
        return self.windows[self.windows["member"].isin(epochs.index[[one == usual for one in sets]])]

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data; a number that is not known is ``None``."""
        return {
            "zoo": self.zoo,
            "last": self.last,
            "members": records(self.members),
            "soups": records(self.soups),
            "windows": records(self.windows),
            "left_out": [vars(out) for out in self.left_out],
            "notes": list(self.notes),
        }


def records(frame: DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as plain JSON data.

    >>> import pandas as pd
    >>> records(pd.DataFrame({"a": [1.5, float("nan")], "b": [("x", 3), None]}))
    [{'a': 1.5, 'b': ['x', 3]}, {'a': None, 'b': None}]
    """
    return [finite(row) for row in frame.astype(object).to_dict("records")]
