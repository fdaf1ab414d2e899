"""A table in five formats. Markdown, LaTeX and HTML round for people; CSV and JSON hold the exact numbers."""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vitzoo.analysis.tables import escape, write
from vitzoo.analysis.tables.table import Cell, Column, Spread, Table


def to_markdown(table: Table) -> str:
    """Write a table with its heading above and its notes below; cells are mean ± std (n).

    >>> from vitzoo.analysis.tables.table import Column, Row
    >>> rows = (Row(("adamw",), (Spread(80.06, 4.59, 120),)),)
    >>> print(to_markdown(Table("2", "Fine-tuned", ("optimizer",), (Column("Accuracy", "%"),), rows)))
    **Table 2: Fine-tuned**
    <BLANKLINE>
    | optimizer | Accuracy, % |
    |---|---:|
    | adamw | 80.06 ± 4.59 (120) |
    <BLANKLINE>
    * Cells are mean ± standard deviation of the sample (n).
    <BLANKLINE>
    """
    aligned = ["---:" if write.is_numeric(table, i) else "---" for i in range(len(table.columns))]
    lines = [
        f"**{escape.markdown(table.heading)}**",
        "",
        _line(_header(table, escape.markdown)),
        "|" + "|".join(["---"] * len(table.labels) + aligned) + "|",
        *(_line(row) for row in _body(table, escape.markdown)),
        "",
        *(f"* {escape.markdown(note)}" for note in write.notes(table)),
    ]
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Write the rows as CSV with exact numbers; a spread is three columns (mean, std, n), the unknown is empty.

    Texts that a spreadsheet would run as a formula get an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spreads = [any(isinstance(row.cells[i], Spread) for row in table.rows) for i in range(len(table.columns))]
    header: list[str] = [*table.labels]
    for column, is_spread in zip(table.columns, spreads, strict=True):
        header += _spread_headers(column) if is_spread else [column.header]
    writer.writerow(escape.csv(name) for name in header)
    for row in table.rows:
        cells = [part for cell, wide in zip(row.cells, spreads, strict=True) for part in _parts(cell, wide)]
        writer.writerow([*(escape.csv(label) for label in row.labels), *cells])
    return out.getvalue()


def to_json(table: Table) -> dict[str, Any]:
    """Return the table as data for JSON: exact numbers, NaN and infinities as null, everything that was left out.

    A spread is an object with ``mean``, ``std`` and ``n``; texts are plain, so whoever shows them escapes them.
    """
    return {
        "table": table.number,
        "variant": table.variant,
        "title": table.title,
        "labels": list(table.labels),
        "columns": [{"name": column.name, "unit": column.unit} for column in table.columns],
        "rows": [{"labels": list(row.labels), "cells": [_exact(cell) for cell in row.cells]} for row in table.rows],
        "notes": list(table.notes),
        "left_out": list(table.left_out),
    }


def to_latex(table: Table) -> str:
    """Write a table environment for booktabs, with a rule between groups of rows and the notes below."""
    shape = "l" * len(table.labels) + "".join("r" if write.is_numeric(table, i) else "l" for i in _positions(table))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape.latex(table.title)}}}",
        rf"\label{{tab:{table.stem}}}",
        rf"\begin{{tabular}}{{{shape}}}",
        r"\toprule",
        " & ".join(_header(table, escape.latex)) + r" \\",
        r"\midrule",
    ]
    for place, row in enumerate(_body(table, escape.latex)):
        if place and row[0] and len(table.labels) > 1:
            lines.append(r"\addlinespace")
        lines.append(" & ".join(row) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize {escape.latex(note)}" for note in write.notes(table)]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def to_html(table: Table) -> str:
    """Write a ``<table>`` fragment: numbers have class "number", the n of a spread class "n", notes are its foot."""
    width = len(table.labels) + len(table.columns)
    numeric = [write.is_numeric(table, i) for i in _positions(table)]
    heads = [f'<th scope="col">{escape.html(name)}</th>' for name in table.labels]
    heads += [
        f'<th scope="col"{_class(right)}>{escape.html(column.header)}</th>'
        for column, right in zip(table.columns, numeric, strict=True)
    ]
    lines = ['<table class="measures">', f"<caption>{escape.html(table.heading)}</caption>"]
    lines += ["<thead><tr>" + "".join(heads) + "</tr></thead>", "<tbody>"]
    for row in table.rows:
        labels = "".join(f'<th scope="row">{escape.html(label)}</th>' for label in row.labels)
        cells = "".join(f"<td{_class(numeric[i])}>{_html(row.cells[i], table, i)}</td>" for i in _positions(table))
        lines.append(f"<tr>{labels}{cells}</tr>")
    lines.append("</tbody>")
    if notes := write.notes(table):
        rows = "".join(f'<tr><td colspan="{width}">{escape.html(note)}</td></tr>' for note in notes)
        lines.append(f"<tfoot>{rows}</tfoot>")
    return "\n".join([*lines, "</table>"]) + "\n"


def _positions(table: Table) -> range:
    return range(len(table.columns))


def _header(table: Table, safe: Callable[[str], str]) -> list[str]:
    return [safe(name) for name in (*table.labels, *(column.header for column in table.columns))]


def _body(table: Table, safe: Callable[[str], str]) -> list[list[str]]:
    rows = zip(table.rows, write.labels(table), strict=True)
    return [[safe(text) for text in (*labels, *map(write.cell, row.cells, table.columns))] for row, labels in rows]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _spread_headers(column: Column) -> list[str]:
    """Return the names of a spread's fields of CSV; the n has no unit."""
    return [*(replace(column, name=f"{column.name} {part}").header for part in ("mean", "std")), f"{column.name} n"]


def _parts(cell: Cell, is_spread: bool) -> list[Any]:
    """Return a cell's fields of CSV: three in a column of spreads, one elsewhere."""
    if isinstance(cell, Spread):
        return [_exact(cell.mean), cell.std, cell.n]
    one = escape.csv(cell) if isinstance(cell, str) else _exact(cell)
    return [one, None, None] if is_spread else [one]


def _exact(cell: Cell) -> Any:
    if isinstance(cell, Spread):
        return {"mean": _exact(cell.mean), "std": _exact(cell.std), "n": cell.n}
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _html(cell: Cell, table: Table, position: int) -> str:
    column = table.columns[position]
    if isinstance(cell, Spread):
        return f'{escape.html(write.spread(cell, column))} <span class="n">({cell.n})</span>'
    return escape.html(write.cell(cell, column))


def _class(right: bool) -> str:
    return ' class="number"' if right else ""
