"""``vitzoo tables``: the tables of the paper's analysis, for any zoo."""

import json as json_format
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json
from vitzoo.cli.places import ZooPlace
from vitzoo.errors import InputError

if TYPE_CHECKING:
    from vitzoo.analysis.tables.table import Table
    from vitzoo.measures.measurements import Measurements


class Format(StrEnum):
    """How tables are written."""

    md = "md"
    csv = "csv"
    json = "json"
    latex = "latex"


SUFFIX = {Format.md: ".md", Format.csv: ".csv", Format.json: ".json", Format.latex: ".tex"}


def tables(
    zoo: ZooPlace,
    table: Annotated[
        list[str] | None, typer.Option(metavar="N", help="1, 2, 6, 7 or 8; may be repeated. Default: all.")
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="SQL", help="Tables 1 and 2 of the fine-tuned members that fit, too, such as 'test_acc > 0.65'."
        ),
    ] = None,
    format: Annotated[Format | None, typer.Option(help="How to write them. Default: md.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: exact numbers, the same as --format json.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write one file per table there instead of printing.")
    ] = None,
    scope: measuring.Scope = "all",
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
) -> None:
    """Print the paper's Tables 1 and 2 (diversity), 6 (every configuration), 7 and 8 (backbones) of a zoo.

    Every cell is mean ± standard deviation (n). CSV and JSON hold exact numbers; CSV tables are separated by an empty
    line. Exit code 1 if something was left out, 4 if that was because bytes are damaged. docs/measures.md defines
    every number.
    """
    from vitzoo.analysis.tables import NUMBERS, build, check

    chosen, wish = tuple(table or NUMBERS), _format(format, json)
    check(chosen, refine)
    if out is not None:
        _make(out)
    found = measuring.Request(zoo, data, cache, scope, device, download=download).measurements()
    made = build(found, refine, chosen)
    if out is not None:
        _write(found, made, wish, out)
    elif wish is Format.json:
        print_json({**_about(found), "refine": refine, "tables": [_data(one) for one in made]})
    else:
        print("\n".join(_text(one, wish) for one in made), end="")
    if code := measuring.exit_code(found):
        raise typer.Exit(code)


def _format(wish: Format | None, json: bool) -> Format:
    if json and wish not in (None, Format.json):
        raise InputError(f"--json and --format {wish} ask for two formats. Leave one of them out.")
    return Format.json if json else wish or Format.md


def _make(out: Path) -> None:
    from vitzoo.zoo.atomic import make_directories

    make_directories(out)


def _write(found: "Measurements", made: "list[Table]", wish: Format, out: Path) -> None:
    """Write one file per table and print their paths."""
    from vitzoo.zoo.atomic import replace_file

    for one in made:
        path = out / f"{one.stem}{SUFFIX[wish]}"
        if wish is Format.json:
            text = json_format.dumps({**_about(found), **_data(one)}, indent=2, allow_nan=False) + "\n"
        else:
            text = _text(one, wish)
        replace_file(path, text.encode())
        print(path)


def _about(found: "Measurements") -> dict[str, Any]:
    return {"zoo": found.zoo, "scope": found.scope, "left_out": [vars(out) for out in found.left_out]}


def _data(table: "Table") -> dict[str, Any]:
    """Return a table for JSON; what was left out is the same for all and said once."""
    from vitzoo.analysis.tables.render import to_json

    return {name: value for name, value in to_json(table).items() if name != "left_out"}


def _text(table: "Table", wish: Format) -> str:
    from vitzoo.analysis.tables import render

    return {Format.md: render.to_markdown, Format.csv: render.to_csv, Format.latex: render.to_latex}[wish](table)
