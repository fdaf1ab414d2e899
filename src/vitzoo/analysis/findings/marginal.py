"""Do head and seed matter marginally for accuracy?

"Marginal" is a claim of smallness, so it takes an upper limit: not finding a difference does not show it.
"""

from functools import partial

from vitzoo.analysis.findings import criteria, design
from vitzoo.analysis.findings.explained import SMALL, explained
from vitzoo.analysis.findings.finding import Claim, Finding, Outcome, Untestable, judge
from vitzoo.analysis.levels import levels
from vitzoo.measures.measurements import Measurements

MARGINAL = {
    column: Claim(
        f"marginal.{column}",
        f"The {name} makes only a marginal difference to accuracy.",
        *("Appendix A.2", paper),
        f"variance of test accuracy explained by the {name}, η²",
    )
    for column, name, paper in (
        ("head", "classification head", "MLP 78.36 ± 5.35, linear 77.72 ± 5.59 % (Table 2)"),
        ("seed", "fine-tuning seed", "no number given"),
    )
}


def evaluate(m: Measurements) -> list[Finding]:
    """Test the claims about head and seed."""
    return [judge(claim, partial(_marginal, m, column)) for column, claim in MARGINAL.items()]


def _marginal(m: Measurements, column: str) -> Outcome:
    rows = design.children(m)
    found_levels = levels(rows, column)
    if len(found_levels) < 2:
        raise Untestable(f"All fine-tuned members have the same {column}.")
    table = design.cells(rows, {column: found_levels}, "test_acc")
    found = explained(table)
    return Outcome(found, len(design.backbones(table)), table.size, *criteria.below(found, SMALL))
