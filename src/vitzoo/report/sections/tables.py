"""The paper's tables of the zoo, each in a box of its own that scrolls."""

from collections.abc import Sequence
from dataclasses import replace

from vitzoo.analysis.tables.render import to_html
from vitzoo.analysis.tables.table import Table
from vitzoo.report.markup import Markup, element, join
from vitzoo.report.sections.section import Section, scrolling


def tables(found: Sequence[Table]) -> Section:
    """Return the section; a refined table has only those notes that the table of all members has not."""
    parts, said = [], {}
    for table in found:
        above = said.setdefault(table.number, [])
        parts.append(_table(table, [note for note in table.notes if note not in above]))
        above += table.notes
    contents = tuple((_id(table), _short(table)) for table in found)
    return Section("tables", "Tables", join(*parts), contents)


def _table(table: Table, notes: Sequence[str]) -> Markup:
    # What was left out has a section of its own, and long notes do not belong into a box that scrolls sideways.
    drawn = Markup(to_html(replace(table, notes=(), left_out=())))
    listed = element("ul", *(element("li", note) for note in notes), class_="notes") if notes else None
    return element("div", element("h3", table.heading), scrolling(drawn, table.heading), listed, id=_id(table))


def _id(table: Table) -> str:
    return f"table-{table.stem}"


def _short(table: Table) -> str:
    """Return the number and the variant, for the table of contents."""
    return f"Table {table.number}, {table.variant}" if table.variant else f"Table {table.number}"
