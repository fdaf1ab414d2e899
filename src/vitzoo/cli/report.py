"""``vitzoo report``: a zoo on one page, with every table, finding and figure of the paper's analysis."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.measuring import Cache, Data, Device, Request, Scope, exit_code
from vitzoo.cli.output import count, print_json, size
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable
from vitzoo.errors import InputError

if TYPE_CHECKING:
    from vitzoo.measures.measurements import Measurements
    from vitzoo.report import Report
    from vitzoo.zoo import Zoo


def report(
    zoo: ZooPlace,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory to write to. Default: reports/ and the zoo's name.", show_default=False),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(metavar="SQL", help='Show tables and findings refined, too; the paper: "test_acc > 0.65".'),
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="Write every figure as PNG, too.")] = False,
    data: Data = None,
    cache: Cache = None,
    scope: Scope = "all",
    device: Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print paths and headline numbers as JSON.")] = False,
) -> None:
    """Write one page on a zoo, which opens from disk without a network, and every figure on its own."""
    from datetime import date

    from vitzoo.report.write import check_outside, write

    request = Request(zoo, data, cache, scope, device)
    place = place_of(request.opened, out)
    check_outside(request.opened, place)
    found = request.measurements()
    with request.waiting() as tell:
        written = write(request.opened, found, place, day=date.today(), refine=refine, png=png, tell=tell)
    if json:
        print_json(_about(written, found))
    else:
        _print(written)
    if code := exit_code(found):
        raise typer.Exit(code)


def place_of(zoo: "Zoo", out: Path | None) -> Path:
    """Return the directory to write to: ``out``, or reports/ and the zoo's name; InputError if that is no name."""
    from vitzoo.zoo.layout import is_name

    if out is None and not is_name(zoo.name):
        raise InputError(f"The zoo's name {zoo.name!r} is no name for a directory. Say with --out where to write to.")
    return out or Path("reports") / zoo.name


def _about(written: "Report", m: "Measurements") -> dict[str, Any]:
    accuracy = m.finetuned()["test_acc"].dropna()
    return {
        "zoo": m.zoo,
        "index": str(written.index),
        "bytes": written.index.stat().st_size,
        "figures": [str(path) for drawn in written.figures for path in drawn.paths],
        "not_drawn": {drawn.stem: drawn.why for drawn in written.figures if not drawn.svg},
        "members": {"pretraining": len(m.pretrained()), "finetuning": len(m.finetuned())},
        "test_acc": {"n": len(accuracy), "mean": _number(accuracy.mean()), "std": _number(accuracy.std(ddof=1))},
        "findings": {finding.key: finding.verdict for finding in written.findings},
        "notes": list(m.notes),
        "left_out": [{"what": out.what, "why": out.why, "damaged": out.damaged} for out in m.left_out],
    }


def _number(value: float) -> float | None:
    return float(value) if value == value else None


def _print(written: "Report") -> None:
    for drawn in written.figures:
        if not drawn.svg:
            print(f"note: the figure {drawn.stem} is not drawn. {printable(drawn.why)}", file=sys.stderr)
    files = sum(len(drawn.paths) for drawn in written.figures)
    print(f"{printable(written.index)}: {size(written.index.stat().st_size)}, and {count(files)} files of figures.")
