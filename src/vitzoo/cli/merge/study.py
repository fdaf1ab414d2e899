"""``vitzoo merge study``: the paper's study of averages within a lineage, on any zoo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import count, print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.measures.measurements import DataFrame
    from vitzoo.merging.study.averages import Averages
    from vitzoo.report.averages import Shown

MARKS = {"holds": "✓", "does not hold": "✗", "cannot be tested": "·"}
COLUMNS = ("n", "mean of them", "best of them", "average", "− mean, pp", "better", "− best, pp", "better ")


def study(
    zoo: ZooPlace,
    last: Annotated[int, typer.Option(min=2, metavar="K", help="Checkpoints in an average over epochs.")] = 5,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory to write to. Default: reports/ and the zoo's name.", show_default=False),
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="Write every figure as PNG, too.")] = False,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number, and the findings, as JSON.")] = False,
) -> None:
    """Average checkpoints over epochs, over one factor, along fine-tuning; draw the paper's Figures 2a, 2b and 3.

    Writes the figures and averages.json; `vitzoo report` shows them. Exit code 1 if something was left out, 4 if
    because of damage.
    """
    from vitzoo.cli.report import place_of
    from vitzoo.merging.study.run import study as run
    from vitzoo.report.averages import plain, write
    from vitzoo.report.write import check_outside

    request = measuring.Request(zoo, data, cache, device=device, download=download)
    place = place_of(request.opened, out)
    check_outside(request.opened, place)
    places, where = measuring.places(data, cache, download), measuring.device_of(device)
    with request.waiting() as tell:
        found = run(request.opened, places, last, where, tell)
    measuring.explain(found.left_out, found.notes)
    shown, numbers = write(found, place, png)
    files = [numbers, *(path for drawn in shown.drawn for path in drawn.paths)]
    if json:
        print_json(plain(shown) | {"files": [str(path) for path in files]})
    else:
        _print(shown, files)
    if code := measuring.code_of(found.left_out):
        raise typer.Exit(code)


def _print(shown: "Shown", files: list[Path]) -> None:
    a = shown.averages
    members = [(name, rows) for name, rows in a.members.groupby("optimizer")]
    title = f"{printable(a.zoo)}: averages of the last {a.last} checkpoints of a member"
    print_table(title, ["optimizer", *COLUMNS], [_line(*each) for each in members], right=COLUMNS)
    soups = [(name, rows) for name, rows in a.soups.groupby("factor", sort=False)]
    title = "Soups: averages of members that differ in one factor alone"
    print_table(title, ["factor", *COLUMNS], [_line(*each) for each in soups], right=COLUMNS)
    _print_course(a)
    for optimizer, rows in members:
        better = f"{count(a.improving(optimizer)[0])} of {count(len(rows))}"
        print(f"The average is better than the mean of the {a.last} in {better} members of {printable(optimizer)}.")
    print()
    _print_findings(shown)
    print()
    for path in files:
        print(printable(path))


def _line(name: object, rows: "DataFrame") -> list[str]:
    """Describe some averages: what they reach, what that is more than, and how often it is more."""
    cells = [printable(name), count(len(rows))]
    cells += [f"{100 * rows[column].mean():.1f} %" for column in ("mean", "best", "average")]
    for column in ("mean", "best"):
        gains = 100 * (rows["average"] - rows[column])
        cells += [f"{gains.mean():+.2f}", f"{100 * (gains > 0).mean():.0f} %"]
    return cells


def _print_course(a: "Averages") -> None:
    rows = a.course()
    gains = 100 * (rows["average"] - rows["plain"])
    lines = []
    for epoch, own in rows[rows["average"].notna()].groupby("epoch"):
        gained = gains[own.index]
        accuracies = [f"{100 * own[column].mean():.1f} %" for column in ("plain", "average")]
        spread = [f"{value:+.2f}" for value in (gained.mean(), gained.min(), gained.max())]
        lines.append([str(epoch), count(len(own)), *accuracies, *spread])
    columns = ["epoch", "n", "model", "average", "gain, pp", "least", "greatest"]
    print_table(f"Averages of the {a.last} checkpoints up to an epoch", columns, lines, right=columns)


def _print_findings(shown: "Shown") -> None:
    from vitzoo.analysis.findings.criteria import number

    for one in shown.findings:
        print(f"{MARKS[one.verdict]} {one.verdict}: {one.statement}")
        if one.value == one.value:
            print(f"    {one.effect}: {number(one.value)} [{number(one.low)}, {number(one.high)}]")
        print(f"    {printable(one.why)}")
