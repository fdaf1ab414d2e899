"""Renderings of tables, read back by others: markdown-it, csv, json, html.parser, and a count of LaTeX's columns."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from fake_measurements import make_measurements
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tables_by_hand import with_holes

from vitzoo.analysis.tables import build, escape, write
from vitzoo.analysis.tables.render import to_csv, to_html, to_json, to_latex, to_markdown
from vitzoo.analysis.tables.table import Cell, Column, Row, Spread, Table

HOSTILE = ("a|b", "<script>alert(1)</script>", "x & y_z", r"\input{/etc/passwd}", "_a_ *b* `c` [d](e) ~~f~~", "50%$#^~")
NAN = float("nan")
TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "span"}
COLUMNS = (Column("Accuracy", "%"), Column("L2 norm", digits=None), Column("what"), Column("n"))
TABLES = [*build(make_measurements(), "test_acc > 0.65"), *build(with_holes())]


def one(label: str = "x", cells: tuple[Cell, ...] = (None, None, "text", 3), **more: Any) -> Table:
    return Table("2", "A title", ("factor", "level"), COLUMNS, (Row((label, "level"), cells),), **more)


def hostile() -> Table:
    rows = tuple(Row((name, name), (Spread(1.0, 2.0, 3), 4.0, name, 5)) for name in HOSTILE)
    return Table("findings", HOSTILE[1], (HOSTILE[0], HOSTILE[2]), COLUMNS, rows, HOSTILE, HOSTILE)


# Cells


@pytest.mark.parametrize(
    ("cell", "column", "text"),
    [
        (Spread(78.024, 5.486, 166), COLUMNS[0], "78.02 ± 5.49 (166)"),
        (Spread(-0.614, 2.45, 46), COLUMNS[0], "−0.61 ± 2.45 (46)"),
        (Spread(-0.001, 0.002, 2), COLUMNS[0], "0.00 ± 0.00 (2)"),
        (Spread(70.0, None, 1), COLUMNS[0], "70.00 (1)"),
        (Spread(NAN, None, 0), COLUMNS[0], "– (0)"),
        (Spread(89.94, 9.4, 57), COLUMNS[1], "89.9 ± 9.4 (57)"),
        (Spread(1636.2, 248.1, 7), COLUMNS[1], "1636 ± 248 (7)"),
        (Spread(0.08583, 0.0347, 72), COLUMNS[1], "0.0858 ± 0.0347 (72)"),
        (Spread(3.0, 20.0, 2), COLUMNS[1], "3.0 ± 20.0 (2)"),
        (Spread(0.0, 0.0, 2), COLUMNS[1], "0.00 ± 0.00 (2)"),
        (float("inf"), COLUMNS[1], "inf"),
        (NAN, COLUMNS[0], "–"),
        (None, COLUMNS[0], "–"),
        (0.5, COLUMNS[0], "0.50"),
        (166, COLUMNS[0], "166"),
        ("a", COLUMNS[0], "a"),
    ],
)
def test_cells(cell: Cell, column: Column, text: str) -> None:
    assert write.cell(cell, column) == text


def test_left_out_is_named_three_at_a_time() -> None:
    assert write.notes(one(left_out=("a: b", "c: d"))) == ["Left out, 2 in all: a: b; c: d."]
    assert write.notes(one(left_out=tuple("abcde")))[-1] == "Left out, 5 in all: a; b; c; and 2 more."
    assert write.notes(one()) == []
    assert write.notes(one(cells=(Spread(1.0, None, 1), None, "", 1), notes=("Said.",))) == [write.SPREADS, "Said."]


# Markdown


def markdown_of(table: Table) -> tuple[list[list[str]], list[Token]]:
    """Read a table back: the texts of its rows, header first, and all inline tokens of the document."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(to_markdown(table))
    rows: list[list[str]] = []
    for before, token in pairwise(tokens):
        if before.type == "tr_open":
            rows.append([])
        if before.type in ("th_open", "td_open"):
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows, [child for token in tokens for child in token.children or []]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_markdown_read_back(table: Table) -> None:
    rows, _ = markdown_of(table)
    assert rows[0] == [*table.labels, *(column.header for column in table.columns)]
    assert len(rows) == 1 + len(table.rows)
    for read, row, labels in zip(rows[1:], table.rows, write.labels(table), strict=True):
        assert read == [*labels, *map(write.cell, row.cells, table.columns)]


def test_markdown_by_hand() -> None:
    lines = to_markdown(one("adamw", (Spread(80.0, 4.5, 12), 2.0, "yes", 7))).splitlines()
    assert lines == [
        *("**Table 2: A title**", "", "| factor | level | Accuracy, % | L2 norm | what | n |"),
        *("|---|---|---:|---:|---|---:|", "| adamw | level | 80.00 ± 4.50 (12) | 2.00 | yes | 7 |", ""),
        "* Cells are mean ± standard deviation of the sample (n).",
    ]


def test_markdown_of_a_hostile_zoo_is_text() -> None:
    rows, inline = markdown_of(hostile())
    assert [row[0] for row in rows[1:]] == list(HOSTILE)
    assert {token.type for token in inline} <= {"text", "text_special", "strong_open", "strong_close"}
    assert sum(token.type == "strong_open" for token in inline) == 1  # ours, of the heading


@given(st.text(alphabet=st.sampled_from("ab1 _*`|\\<>[]()!&~#$;-+=.\n\x1b\u202e")))
def test_any_text_in_markdown_is_text(text: str) -> None:
    rows, inline = markdown_of(Table("t", "T", ("a",), (Column("b"),), (Row(("x",), (text,)),)))
    assert rows[1][1] == escape.printable(text).strip(" ")
    assert {token.type for token in inline} <= {"text", "text_special", "strong_open", "strong_close"}


# CSV


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_csv_read_back(table: Table) -> None:
    header, *rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert len(rows) == len(table.rows)
    for read, row in zip(rows, table.rows, strict=True):
        named = dict(zip(header, read, strict=True))
        assert [named[name] for name in table.labels] == list(row.labels)
        for column, cell in zip(table.columns, row.cells, strict=True):
            if isinstance(cell, Spread):
                unit = f", {column.unit}" if column.unit else ""
                parts = [named[f"{column.name} {part}"] for part in (f"mean{unit}", f"std{unit}", "n")]
                assert number(parts[0]) == pytest.approx(cell.mean, rel=1e-15, nan_ok=True)
                assert number(parts[1]) == pytest.approx(NAN if cell.std is None else cell.std, rel=1e-15, nan_ok=True)
                assert int(parts[2]) == cell.n
            elif cell is None:
                assert {value for name, value in named.items() if name.startswith(column.name)} == {""}
            else:
                assert number(named[column.header]) == pytest.approx(cell, nan_ok=True)


def number(text: str) -> float:
    return float(text) if text else NAN


def test_csv_does_not_run() -> None:
    made = one("=cmd()", (None, None, "+1+cmd()", 3))
    (_, row) = list(csv.reader(io.StringIO(to_csv(made))))
    assert row == ["'=cmd()", "level", "", "", "'+1+cmd()", "3"]
    negative = list(csv.reader(io.StringIO(to_csv(one("-1", (-2.5, None, "", 3))))))[1]
    assert negative == ["-1", "level", "-2.5", "", "", "3"]


# JSON


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_json_read_back(table: Table) -> None:
    read = json.loads(json.dumps(to_json(table), allow_nan=False))
    assert (read["table"], read["variant"], read["title"]) == (table.number, table.variant, table.title)
    assert [row["labels"] for row in read["rows"]] == [list(row.labels) for row in table.rows]
    for row, original in zip(read["rows"], table.rows, strict=True):
        for cell, exact in zip(row["cells"], original.cells, strict=True):
            if isinstance(exact, Spread):
                assert cell == {"mean": None if exact.n == 0 else exact.mean, "std": exact.std, "n": exact.n}
            else:
                assert cell == (None if exact != exact else exact)
    assert read["left_out"] == list(table.left_out)


def test_json_has_no_nan() -> None:
    row = to_json(one(cells=(Spread(NAN, None, 0), NAN, "a", 3)))["rows"][0]
    assert row["cells"] == [{"mean": None, "std": None, "n": 0}, None, "a", 3]
    assert to_json(one(cells=(float("inf"), None, "", 1)))["rows"][0]["cells"][0] is None


# LaTeX


@pytest.mark.parametrize("table", [*TABLES, hostile()], ids=lambda table: table.stem)
def test_latex_has_the_same_columns_everywhere(table: Table) -> None:
    text = to_latex(table)
    (shape,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert len(shape) == len(table.labels) + len(table.columns)
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert len(rows) == 1 + len(table.rows)
    for row in rows:
        assert len(re.split(r"(?<!\\)&", row)) == len(shape)
        assert row.isascii() or set(row) - set(map(chr, range(128))) <= {"…"}


def test_latex_of_a_hostile_zoo_is_text() -> None:
    text = to_latex(hostile())
    assert r"\input" not in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    assert r"x \& y\_z" in text
    assert r"50\%\$\#\textasciicircum{}\textasciitilde{}" in text
    commands = set(re.findall(r"\\([A-Za-z]+)", text))
    ours = {"begin", "end", "centering", "caption", "label", "toprule", "midrule", "addlinespace", "bottomrule"}
    marks = {"pm", "textbar", "textbackslash", "textless", "textgreater", "textasciicircum", "textasciitilde"}
    assert commands <= ours | marks | {"par", "footnotesize"}


@given(st.text(alphabet=st.sampled_from("ab_*&%$#{}\\~^<>[]|\"'`\n−±κ–")))
def test_any_text_in_latex_keeps_its_braces_and_columns(text: str) -> None:
    safe = escape.latex(text)
    bare = re.sub(r"\\[&%$#_{}]", "", safe)
    depth = 0
    for c in bare:
        depth += (c == "{") - (c == "}")
        assert depth >= 0
    assert depth == 0
    assert not set(bare) & set("&%#_~^\n")
    assert bare.count("$") % 2 == 0


# HTML


class Reader(HTMLParser):
    """Collects tags with their attributes, and the texts of cells by row."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.caption = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "caption" in self.open:
            self.caption += data
        elif "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def html_of(table: Table) -> Reader:
    reader = Reader()
    reader.feed(to_html(table))
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("table", [*TABLES, hostile()], ids=lambda table: table.stem)
def test_html_read_back(table: Table) -> None:
    reader = html_of(table)
    assert reader.caption == table.heading
    assert reader.rows[0] == [*table.labels, *(column.header for column in table.columns)]
    for read, row in zip(reader.rows[1:], table.rows, strict=False):
        assert read == [*row.labels, *map(write.cell, row.cells, table.columns)]
    notes = [row[0] for row in reader.rows[1 + len(table.rows) :]]
    assert notes == write.notes(table)
    assert {tag for tag, _ in reader.tags} <= TAGS


def test_html_marks_numbers() -> None:
    reader = html_of(one(cells=(Spread(1.0, 2.0, 3), 4.0, "text", 5)))
    cells = [attributes.get("class") for tag, attributes in reader.tags if tag == "td"]
    assert cells[:4] == ["number", "number", None, "number"]
    assert ("span", {"class": "n"}) in reader.tags


@given(st.text())
def test_any_text_in_html_is_text(text: str) -> None:
    reader = html_of(Table("t", text, (text,), (Column(text),), (Row((text,), (text,)),)))
    assert reader.rows[1] == [escape.printable(text)] * 2
    assert {tag for tag, _ in reader.tags} <= TAGS
