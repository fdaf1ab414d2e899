"""The head of a report: what the zoo is and what was found, in whole sentences, and in four numbers."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitzoo.analysis import words
from vitzoo.analysis.findings.finding import FAILS, HOLDS, UNTESTABLE
from vitzoo.measures.measurements import DataFrame, Measurements
from vitzoo.report.facts import Facts
from vitzoo.report.markup import Markup, element, join

if TYPE_CHECKING:
    from vitzoo.analysis.findings.finding import Finding


def summary(facts: Facts, m: Measurements, findings: "Sequence[Finding]") -> Markup:
    """Return the lead paragraphs and the four numbers."""
    members = sum(facts.statuses.values())
    sentences = [_what(m, facts), _accuracy(m.finetuned()), _found(findings), _left_out(m)]
    lead = element("p", " ".join(sentence for sentence in sentences if sentence), class_="lead")
    held = Counter(finding.verdict for finding in findings)
    accuracy = m.finetuned()["test_acc"].dropna()
    tiles = (
        (f"{members:,}", "members", words.listed(f"{n:,} {status}" for status, n in facts.statuses.items())),
        (f"{facts.checkpoints:,}", "checkpoints", words.size(facts.bytes)),
        (f"{words.percent(accuracy.mean())} %" if len(accuracy) else "–", "mean test accuracy", _range(accuracy)),
        (f"{held[HOLDS]} of {len(findings)}", "findings hold", f"{held[FAILS]} do not, {held[UNTESTABLE]} untestable"),
    )
    return join(lead, element("ul", *(_tile(*tile) for tile in tiles), class_="tiles"))


def _tile(number: str, what: str, more: str) -> Markup:
    return element("li", element("b", number), element("span", what), element("small", more))


def _what(m: Measurements, facts: Facts) -> str:
    backbones, children = m.pretrained(), m.finetuned()
    trained = f"{words.counted(len(backbones), 'backbone')} pre-trained on {_values(backbones, 'dataset')}"
    tasks = backbones["task"].value_counts()
    trained += f" ({words.listed(f'{n:,} {task}' for task, n in tasks.items())})" if len(tasks) else ""
    tuned = f"{words.counted(len(children), 'member')} fine-tuned from them on {_values(children, 'dataset')}"
    return f"{facts.name} is a zoo of vision transformers. Measured here are {trained} and {tuned}."


def _values(rows: DataFrame, column: str) -> str:
    return words.listed(str(value) for value in sorted(rows[column].dropna().unique())) or "nothing"


def _accuracy(children: DataFrame) -> str:
    known = children["test_acc"].dropna()
    if known.empty:
        return "The test accuracy of none of them is known."
    spread = f" ± {words.percent(known.std(ddof=1))}" if len(known) > 1 else ""
    return (
        f"Fine-tuned members reach a test accuracy of {words.percent(known.mean())}{spread} % "
        f"(mean ± standard deviation, n = {len(known):,}), from {_range(known)}."
    )


def _range(known: DataFrame) -> str:
    return f"{words.percent(known.min())} to {words.percent(known.max())} %" if len(known) else "not known"


def _found(findings: "Sequence[Finding]") -> str:
    held = Counter(finding.verdict for finding in findings)
    said = ((HOLDS, "hold on this one"), (FAILS, "do not hold"), (UNTESTABLE, "cannot be tested"))
    parts = words.listed(f"{held[verdict]} {what}" for verdict, what in said if held[verdict])
    return f"Of {words.counted(len(findings), 'claim')} that the paper makes of its zoo, {parts}."


def _left_out(m: Measurements) -> str:
    return f"{words.counted(len(m.left_out), 'item')} left out, with the reasons at the end." if m.left_out else ""
