"""Table 2: the fine-tuned members by level of each generating factor that varies.

Reference: the paper, Table 2, which refines the zoo first (validation accuracy above 65 %).
"""

from vitzoo.analysis.tables import notes
from vitzoo.analysis.tables.factors import of_finetuning, split
from vitzoo.analysis.tables.groups import PERCENT, of, pairs, spread, unknown
from vitzoo.analysis.tables.table import Column, Row, Table
from vitzoo.measures.measurements import DataFrame, Measurements

TITLE = "Performance and diversity of the fine-tuned members by generating factor"
COLUMNS = (
    Column("Accuracy", "%"),
    Column("Gap (clean)", "pp"),
    Column("Gap (online)", "pp"),
    Column("Agreement κ_aggr", "%"),
    Column("Cohen's κ", digits=3),
    Column("Skewness", digits=3),
    Column("Kurtosis"),
    Column("L2 norm", digits=None),
    Column("L2 distance", digits=None),
)
NOTES = (
    notes.GAP,
    notes.AGREEMENT,
    "L2 distance: to the checkpoint a member was initialised from. " + notes.DISTANCE,
)


def build(m: Measurements) -> Table:
    """Return one row per level of each factor that varies, and one for all; no rows without fine-tuned members.

    Accuracy and agreement are in percent, gaps in percentage points.
    """
    members = m.finetuned()
    rows = [
        _row(m, (factor.label, level), chosen)
        for factor in of_finetuning(members, "2")
        for level, chosen in split(members, factor.column)
    ]
    if len(members):
        rows.append(_row(m, ("all", ""), members))
    said = [*NOTES, notes.weights(m), *unknown(pairs(m.agreement, members), notes.not_compared), *m.notes]
    return Table("2", TITLE, ("factor", "level"), COLUMNS, tuple(rows), tuple(said), notes.left_out(m))


def _row(m: Measurements, labels: tuple[str, str], members: DataFrame) -> Row:
    performance = [of(members, name, PERCENT) for name in ("test_acc", "gap", "gap_online")]
    alike = spread(pairs(m.agreement, members), PERCENT), spread(pairs(m.kappa, members))
    weights = [of(members, name) for name in ("skewness", "kurtosis", "l2_norm", "l2_distance")]
    return Row(labels, (*performance, *alike, *weights))
