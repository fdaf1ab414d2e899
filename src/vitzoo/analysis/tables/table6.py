"""Table 6: accuracy, gap and agreement in every cell of the fine-tuning grid, over seeds and backbones.

Reference: the paper, Table 6, which is of the raw zoo.
"""

from vitzoo.analysis.tables import notes
from vitzoo.analysis.tables.factors import SEED, cells, of_finetuning
from vitzoo.analysis.tables.groups import PERCENT, joined, of, pairs, spread, unknown
from vitzoo.analysis.tables.table import Cell, Column, Row, Table
from vitzoo.measures.measurements import DataFrame, Measurements

TITLE = "Performance of all fine-tuned members by configuration, over seeds and backbones"
COLUMNS = (
    Column("Min", "%"),
    Column("Max", "%"),
    Column("Accuracy", "%"),
    Column("Gap (clean)", "pp"),
    Column("Agreement", "%"),
    Column("Members"),
)
NOTES = (
    "A row is a combination of the factors that vary, over all seeds and backbones.",
    notes.GAP,
    "Agreement is over all pairs of a row's members; n is the number of pairs.",
)


def build(m: Measurements) -> Table:
    """Return one row per configuration; a factor that does not vary has no column.

    Accuracies and agreement are in percent, gaps in percentage points.
    """
    members = m.finetuned()
    factors = [factor for factor in of_finetuning(members, "6") if factor.column != SEED]
    groups = cells(members, factors) if factors else [(("all",), members)]
    labels = tuple(factor.label for factor in factors) or ("configuration",)
    rows = tuple(Row(levels, _cells(m, chosen)) for levels, chosen in groups)
    compared = unknown(joined([pairs(m.agreement, chosen) for _, chosen in groups]), notes.not_compared)
    return Table("6", TITLE, labels, COLUMNS, rows, (*NOTES, *compared, *m.notes), notes.left_out(m))


def _cells(m: Measurements, members: DataFrame) -> tuple[Cell, ...]:
    accuracy = PERCENT * members["test_acc"]
    return (
        float(accuracy.min()),
        float(accuracy.max()),
        of(members, "test_acc", PERCENT),
        of(members, "gap", PERCENT),
        spread(pairs(m.agreement, members), PERCENT),
        len(members),
    )
