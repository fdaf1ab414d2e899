"""Findings as a table."""

from collections.abc import Sequence

from vitzoo.analysis.findings.criteria import number
from vitzoo.analysis.findings.finding import HOLDS, Finding
from vitzoo.analysis.tables.table import Column, Row, Table

COLUMNS = (
    *(Column("Verdict"), Column("Effect"), Column("Value", digits=None)),
    *(Column("Low", digits=None), Column("High", digits=None), Column("Backbones"), Column("Members")),
    *(Column("Paper"), Column("Source"), Column("Why"), Column("Key")),
)
NOTES = (
    "Low and high are the limits of a 95 % interval over backbones, the units of replication.",
    "Every finding stands for itself, without correction for their number.",
    "“Does not hold” means that this zoo does not show it, not that it shows the opposite; the reasons say which.",
)


def to_table(findings: Sequence[Finding], left_out: Sequence[str] = ()) -> Table:
    """Return the findings as a table with one row each; ``left_out`` says what was not counted, a clause each.

    >>> to_table([]).stem
    'findings'
    """
    rows = tuple(_row(finding) for finding in findings)
    return Table("findings", "Findings of the paper, tested", ("Finding",), COLUMNS, rows, NOTES, tuple(left_out))


def short(findings: Sequence[Finding]) -> Table:
    """Return claim, effect with its interval, and verdict: what fits on a page."""
    rows = tuple(Row((found.statement,), (_effect(found), found.verdict)) for found in findings)
    held = sum(found.verdict == HOLDS for found in findings)
    title = f"{held} of {len(findings)} findings of the paper hold"
    columns = (Column("Effect [95 % interval]"), Column("Verdict"))
    return Table("findings", title, ("Finding",), columns, rows, NOTES)


def _effect(found: Finding) -> str:
    if found.value != found.value:
        return found.why
    return f"{found.effect}: {number(found.value)} [{number(found.low)}, {number(found.high)}]"


def _row(found: Finding) -> Row:
    numbers = (found.value, found.low, found.high, found.backbones, found.members)
    cells = (found.verdict, found.effect, *numbers, found.paper, found.source, found.why, found.key)
    return Row((found.statement,), cells)
