"""The paper's qualitative findings, each tested on a zoo: one file per family, ``intervals`` for the statistics.

Claims are those of Sections 2 and 3.2 and of Appendix A.2. Criteria are constants at the top of the files, with a
reason; they are the same for every zoo.
"""

from vitzoo.analysis.findings import agreement, learning_rate, marginal, optimizer, parent, task
from vitzoo.analysis.findings.finding import FAILS, HOLDS, UNTESTABLE, Finding
from vitzoo.analysis.findings.tabulate import short, to_table
from vitzoo.measures.measurements import Measurements

__all__ = ["FAILS", "HOLDS", "UNTESTABLE", "Finding", "evaluate", "short", "to_table"]

FAMILIES = (task, agreement, parent, optimizer, learning_rate, marginal)


def evaluate(m: Measurements) -> list[Finding]:
    """Test all findings on a zoo as measured, in the paper's order; the same measurements give the same findings.

    What a zoo lacks makes a finding "cannot be tested" and raises no error. The paper's Section 3.2 speaks of the
    refined zoo: pass ``m.refine("test_acc > 0.65")`` for that, and ``m`` for the whole. A refined zoo is chosen by
    accuracy, which the claims about accuracy are of; where the two differ, the whole one is the experiment.

    >>> findings = evaluate(measurements)  # doctest: +SKIP
    """
    return [finding for family in FAMILIES for finding in family.evaluate(m)]
