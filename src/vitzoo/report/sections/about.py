"""What the zoo is: its head, its generating factors and constants (the paper's Tables 4 and 5), its blueprint."""

import statistics
from collections.abc import Sequence
from datetime import date

from vitzoo.analysis import words
from vitzoo.blueprint.factors import Factor
from vitzoo.measures.measurements import Measurements
from vitzoo.report.facts import Facts
from vitzoo.report.markup import Markup, element, join
from vitzoo.report.sections.section import Section, scrolling

DASH = "–"


def about(facts: Facts, m: Measurements, version: str, day: date) -> Section:
    """Return the section; ``version`` is vitzoo's and ``day`` that of the report."""
    parts = [_facts(facts, m, version, day)]
    if facts.unreadable:
        why = f"The factors are not listed, because the blueprint cannot be read: {facts.unreadable}"
        parts.append(element("p", why, class_="note"))
    else:
        parts.append(_factors("Generating factors", facts.factors))
        parts.append(_factors("Constants", facts.constants))
    text = element("pre", element("code", join(*_lines(facts.blueprint))))
    parts.append(element("details", element("summary", "The blueprint, as it was written"), text, class_="wide"))
    return Section("about", "The zoo", join(*parts))


def _facts(facts: Facts, m: Measurements, version: str, day: date) -> Markup:
    execution = ", ".join(f"{key} {value}" for key, value in facts.execution.items() if value is not None)
    pairs = (
        ("Members", words.listed(f"{number:,} {status}" for status, number in facts.statuses.items())),
        ("Checkpoints", f"{facts.checkpoints:,}, {words.size(facts.bytes)}"),
        ("Licence", facts.licence),
        ("Computed on", execution or "not recorded"),
        ("Trained at", _pace(facts.paces)),
        ("Measured", f"{len(m.members):,} finished members at their last checkpoints, in float32"),
        ("Weights counted", f"scope “{m.scope}” for moments and norms, backbones for distances"),
        ("Report", f"vitzoo {version}, {words.day(day)}"),
    )
    return element("dl", *(join(element("dt", key), element("dd", value)) for key, value in pairs), class_="facts")


def _pace(paces: Sequence[float]) -> str:
    if not paces:
        return "not recorded"
    middle, low, high = statistics.median(paces), min(paces), max(paces)
    return f"{middle:,.0f} images a second and stack (median; {low:,.0f} to {high:,.0f}; {len(paces):,} epochs)"


def _factors(title: str, rows: Sequence[Factor]) -> Markup:
    head = element("tr", *(element("th", name, scope="col") for name in ("Factor", "Pre-training", "Fine-tuning")))
    body = [
        element("tr", element("th", row.name, scope="row"), _values(row.pretraining), _values(row.finetuning))
        for row in rows
    ]
    table = element("table", element("thead", head), element("tbody", *body), class_="factors")
    return join(element("h3", title), scrolling(table, title))


def _values(values: Sequence[str]) -> Markup:
    return element("td", ", ".join(values) or DASH)


def _lines(text: str) -> list[Markup]:
    """Return the lines, each escaped on its own, since escaping puts text on one line."""
    return [join(line, Markup("\n")) for line in text.splitlines()]
