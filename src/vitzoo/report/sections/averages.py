"""Averages within a lineage: the paper's Figures 2a, 2b and 3, and what it says of them; or how to make them."""

from vitzoo.analysis import words
from vitzoo.measures.selection import LeftOut
from vitzoo.report.averages import Shown
from vitzoo.report.markup import Markup, element, join
from vitzoo.report.sections import figures, findings
from vitzoo.report.sections.section import Section

ID, TITLE = "averages", "Averages"
SHOWN = 10  # things left out that are named


def averages(shown: Shown | None) -> Section:
    """Return the section; without a study it says which command makes one."""
    if shown is None:
        command = element("code", "vitzoo merge study ZOO")
        why = "Averages over epochs and over fine-tuning factors have not been studied on this zoo. "
        return Section(
            ID, TITLE, element("p", why, command, " does that, and the next report shows it.", class_="note")
        )
    a = shown.averages
    body = join(
        element("p", _lead(shown)),
        figures.pictures(shown.drawn),
        element("h3", "What the paper says of averages"),
        findings.table(shown.findings),
        _left_out([*a.notes], a.left_out),
    )
    return Section(ID, TITLE, body, figures.contents(shown.drawn))


def _lead(shown: Shown) -> str:
    a = shown.averages
    parts = [
        f"Weights of {words.counted(a.members['member'].nunique(), 'fine-tuned member')} were averaged uniformly over "
        f"their last {a.last} checkpoints and over every {a.last} along fine-tuning, and those of members that differ "
        f"in one factor alone as {words.counted(len(a.soups), 'soup')}. All are compared on the test split with the "
        "models that they are averages of."
    ]
    count, total = a.improving("adamw")
    if total:
        share = words.percent(count / total)
        parts.append(
            f"The average over the last {a.last} is better than the mean of them in {count:,} of {total:,} AdamW "
            f"members ({share} %)."
        )
    return " ".join(parts)


def _left_out(notes: list[str], left_out: tuple[LeftOut, ...]) -> Markup | None:
    items = [*notes, *(f"{out.what}: {out.why}." for out in left_out[:SHOWN])]
    if len(left_out) > SHOWN:
        items.append(f"{len(left_out) - SHOWN:,} more are left out.")
    return element("ul", *(element("li", item) for item in items), class_="notes") if items else None
