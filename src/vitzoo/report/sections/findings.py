"""The paper's claims, each with a verdict, the effect on this zoo with its interval, and why."""

import math
from collections.abc import Sequence

from vitzoo.analysis import words
from vitzoo.analysis.findings.criteria import number
from vitzoo.analysis.findings.finding import FAILS, HOLDS, UNTESTABLE, Finding
from vitzoo.report.markup import Markup, element, join
from vitzoo.report.sections.section import Section

MARKS = {HOLDS: ("✓", "holds"), FAILS: ("✗", "fails"), UNTESTABLE: ("–", "untestable")}  # sign and class
FAMILIES = {"task": "Pre-training task", "parent": "Parent and children", "lr": "Learning rate", "marginal": "The rest"}
COLUMNS = ("Verdict", "What the paper says", "Effect here, with its 95 % interval")


def findings(found: Sequence[Finding], refined: Sequence[Finding] = (), where: str = "") -> Section:
    """Return the section: a group of rows per family of claims.

    ``refined`` are the same claims on the members that fit ``where``; their verdicts stand below those on all.
    """
    intro = (
        "Each claim that the paper makes of its zoo, tested on this one. The unit of replication is the backbone, not "
        "the member; criteria were fixed beforehand. “Does not hold” says that this zoo does not show it."
    )
    if refined:
        intro += f" Below, the verdict on the refined zoo, of members with {where}, which the paper mostly speaks of."
    return Section("findings", "Findings", join(element("p", intro), table(found, refined)))


def table(found: Sequence[Finding], refined: Sequence[Finding] = ()) -> Markup:
    """Return a row per claim, in a group per family."""
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in COLUMNS)))
    again = {finding.key: finding for finding in refined}
    families: dict[str, list[Markup]] = {}
    for finding in found:
        families.setdefault(finding.key.split(".")[0], []).append(_row(finding, again.get(finding.key)))
    return element("table", head, *(_family(*family) for family in families.items()), class_="findings")


def _family(key: str, rows: list[Markup]) -> Markup:
    title = FAMILIES.get(key, key.capitalize())
    heading = element("tr", element("th", title, colspan=str(len(COLUMNS)), scope="rowgroup"), class_="family")
    return element("tbody", heading, *rows)


def _row(finding: Finding, refined: Finding | None) -> Markup:
    claim = element("p", finding.statement), element("small", f"{finding.source}: {finding.paper}.")
    marks = [_mark(finding)]
    effect = _effect(finding)
    if refined is not None:
        marks.append(element("small", f"refined: {refined.verdict}", class_="refined"))
        effect.append(element("small", f"Refined: {_number(refined)}", class_="refined"))
    return element("tr", element("td", *marks), element("td", *claim), element("td", *effect))


def _mark(finding: Finding) -> Markup:
    sign, kind = MARKS[finding.verdict]
    return element("span", f"{sign} {finding.verdict}", class_=f"verdict {kind}")


def _effect(finding: Finding) -> list[Markup]:
    """Write effect, interval, what it rests on and why; only the last if it could not be tested."""
    if math.isnan(finding.value):
        return [element("small", finding.why)]
    rests = f"{words.counted(finding.backbones, 'backbone')}, {words.counted(finding.members, 'member')}"
    what = element("p", element("b", number(finding.value)), _interval(finding), element("br"), finding.effect)
    return [what, element("small", f"n: {rests}. {finding.why}")]


def _number(finding: Finding) -> str:
    if math.isnan(finding.value):
        return finding.why
    members = words.counted(finding.members, "member")
    return f"{number(finding.value)}{_interval(finding)}, n: {members}."


def _interval(finding: Finding) -> str:
    return f" [{number(finding.low)} to {number(finding.high)}]"
