"""Table 1: the pre-trained members by task, how far apart they are, and how far fine-tuning moves from them.

Reference: the paper, Table 1. Its "Between Cluster, Supervised" is the mean over pairs i < j of members, supervised
first, whose *first* member is supervised, so it mixes two blocks: supervised pairs, and supervised with contrastive
ones. Both groupings are columns here; for the second, the mixed block is a row of its own.
"""

from itertools import combinations

from vitzoo.analysis.tables import notes
from vitzoo.analysis.tables.factors import split
from vitzoo.analysis.tables.groups import PERCENT, across, joined, of, pairs, spread, unknown
from vitzoo.analysis.tables.table import Cell, Column, Row, Table
from vitzoo.measures.measurements import DataFrame, Measurements

TITLE = "Performance and diversity of the pre-trained members"
COLUMNS = (
    Column("Accuracy", "%"),
    Column("Skewness", digits=3),
    Column("Kurtosis"),
    Column("L2 norm", digits=None),
    Column("L2 within cluster", digits=None),
    Column("L2 between clusters, the paper's grouping", digits=None),
    Column("L2 between clusters, by pair of tasks", digits=None),
)
NOTES = (
    "Accuracy is test accuracy on the pre-training data set; other tasks than supervised have another score, see "
    "Table 8.",
    "Within cluster: from fine-tuned members to the checkpoint they were initialised from. " + notes.DISTANCE,
    "Between clusters: over pairs of pre-trained members, n is the number of pairs. The paper's grouping counts a pair "
    "of two tasks with the task that comes first, so its first row mixes both kinds of pairs; the last column "
    "keeps them apart.",
)


def build(m: Measurements) -> Table:
    """Return one row per pre-training task and pair of tasks, and one for all; no rows without pre-trained members.

    Accuracy is in percent. Children count with the task of their parent.
    """
    members = m.pretrained()
    parts = split(members, "task")
    rows = [_task_row(m, parts, i) for i in range(len(parts))]
    rows += [_pair_row(m, first, second) for first, second in combinations(parts, 2)]
    if parts:
        every = spread(pairs(m.distances, members))
        rows.append(Row(("all",), (None, *_statistics(members), of(m.finetuned(), "l2_distance"), every, every)))
    said = [*NOTES, notes.weights(m), *unknown(pairs(m.distances, members), notes.not_measured), *m.notes]
    if not parts:
        said.insert(0, "The zoo has no finished pre-trained member, so there are no rows.")
    return Table("1", TITLE, ("pre-training task",), COLUMNS, tuple(rows), tuple(said), notes.left_out(m))


def _task_row(m: Measurements, parts: list[tuple[str, DataFrame]], place: int) -> Row:
    task, members = parts[place]
    children = m.finetuned()
    children = children[children["parent_task"] == task]
    alike = pairs(m.distances, members)
    mixed = [across(m.distances, members, others) for _, others in parts[place + 1 :]]
    accuracy = of(members, "test_acc", PERCENT) if task == "supervised" else None
    between = (spread(joined([alike, *mixed])), spread(alike))
    return Row((task,), (accuracy, *_statistics(members), of(children, "l2_distance"), *between))


def _pair_row(m: Measurements, first: tuple[str, DataFrame], second: tuple[str, DataFrame]) -> Row:
    nothing: tuple[Cell, ...] = (None,) * (len(COLUMNS) - 1)
    return Row((f"{first[0]} × {second[0]}",), (*nothing, spread(across(m.distances, first[1], second[1]))))


def _statistics(members: DataFrame) -> tuple[Cell, ...]:
    return tuple(of(members, name) for name in ("skewness", "kurtosis", "l2_norm"))
