"""Tables 7 and 8: every backbone with its seed, batch size and score; supervised (7) and contrastive (8).

Reference: the paper, Tables 7 and 8. The contrastive score is top-1 accuracy at finding the other view of an image
among a batch, so it depends on the batch size and does not compare with the supervised one.
"""

from dataclasses import dataclass
from typing import Any

from vitzoo.analysis.levels import UNKNOWN, Factor, text
from vitzoo.analysis.tables import notes
from vitzoo.analysis.tables.factors import of_backbones
from vitzoo.analysis.tables.groups import PERCENT
from vitzoo.analysis.tables.table import Column, Row, Table
from vitzoo.measures.measurements import Measurements

NAMED = (Factor("seed", "seed"), Factor("batch_size", "batch size"))
DIGEST = "weights"


@dataclass(frozen=True)
class Kind:
    """What tells the two tables apart."""

    number: str
    task: str
    columns: tuple[Column, Column]
    note: str


KINDS = {
    kind.number: kind
    for kind in (
        Kind(
            "7",
            "supervised",
            (Column("Validation accuracy", "%"), Column("Loss (CE)", digits=3)),
            "Accuracy and cross-entropy on the test split of the pre-training data set.",
        ),
        Kind(
            "8",
            "contrastive",
            (Column("Validation accuracy (InfoNCE, top 1)", "%"), Column("Loss (InfoNCE)", digits=4)),
            "Share of images whose other view is found among a batch; it depends on the batch size and does not "
            "compare with Table 7.",
        ),
    )
}


def build(m: Measurements, number: str) -> Table:
    """Return one row per backbone of the table's task, by batch size and seed; none, and a note, if there is none.

    Accuracy is in percent. Other factors that vary between these backbones come first; if that does not tell two of
    them apart, the first digits of the weights' SHA-256 do.
    """
    kind = KINDS[number]
    members = m.pretrained()
    members = members[members["task"] == kind.task]
    factors = [*of_backbones(members), *NAMED]
    labels = [factor.label for factor in factors]
    columns = [factor.column for factor in factors]
    alike = bool(members.duplicated(columns).any())
    ordered = members.sort_values([*columns[:-2], "batch_size", "seed", "sha256"])
    rows = tuple(_row(row, columns, alike) for row in ordered.to_dict("records"))
    said = (kind.note,) if rows else (f"The zoo has no finished {kind.task} backbone, so there are no rows.",)
    title = f"Accuracy and loss of the {kind.task} backbones"
    header = (*labels, DIGEST) if alike else tuple(labels)
    return Table(number, title, header, kind.columns, rows, (*said, *m.notes), notes.left_out(m))


def _row(row: dict[str, Any], columns: list[str], alike: bool) -> Row:
    labels = [UNKNOWN if row[name] is None or row[name] != row[name] else text(row[name]) for name in columns]
    digest = [row["sha256"][:6]] if alike else []
    return Row((*labels, *digest), (PERCENT * float(row["test_acc"]), float(row["test_loss"])))
