"""What is not in the report, and why."""

from collections.abc import Sequence

from vitzoo.analysis import words
from vitzoo.measures.measurements import Measurements
from vitzoo.report.markup import Markup, element, join
from vitzoo.report.sections.section import Section

SHOWN = 50  # lines that are open; the others are a click away


def left_out(m: Measurements, notes: Sequence[str]) -> Section:
    """Return the section: members and checkpoints that were not counted, and notes, each a whole sentence."""
    all_notes = [*dict.fromkeys((*m.notes, *notes))]
    parts = [element("ul", *(element("li", note) for note in all_notes)) if all_notes else None]
    if m.left_out:
        damaged = sum(out.damaged for out in m.left_out)
        count = f"{words.counted(len(m.left_out), 'member or checkpoint', 'members or checkpoints')} not counted"
        because = f", of which {damaged:,} because bytes are missing or wrong" if damaged else ""
        parts.append(element("p", f"{count}{because}:"))
        items = [element("li", element("code", out.what), f": {out.why}.") for out in m.left_out]
        parts += [element("ul", *items[:SHOWN]), _folded(items[SHOWN:])]
    elif not all_notes:
        parts.append(element("p", "Nothing: every member of the zoo is finished, sound and measured."))
    return Section("left-out", "What was left out", join(*parts))


def _folded(items: list[Markup]) -> Markup | None:
    if not items:
        return None
    return element("details", element("summary", f"{len(items):,} more"), element("ul", *items))
