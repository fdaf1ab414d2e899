"""``vitzoo measure``: predictions, statistics of weights, distances, quantiles."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.analysis.tables.table import Table
    from vitzoo.measures.measurements import DataFrame
    from vitzoo.measures.selection import Epochs, LeftOut

ACROSS = 4  # groups beside each other in the terminal


def measure(
    zoo: ZooPlace,
    epochs: Annotated[str, typer.Option(help="last, all, or epochs such as 0,5,10.")] = "last",
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Boolean expression over the columns.")] = None,
    by: Annotated[str, typer.Option(metavar="A,B", help="Columns to group the summary by.")] = "stage",
    quantiles: Annotated[bool, typer.Option("--quantiles", help="Quantiles of the weights, too.")] = False,
    scope: measuring.Scope = "all",
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number of every member as JSON.")] = False,
) -> None:
    """Evaluate the checkpoints of a zoo and measure their weights; print a summary of each group.

    What was measured before is not measured again: predictions, logits, moments and distances are kept in the zoo.
    Exit code 1 if something was left out, 4 if that was because bytes are damaged. docs/measures.md defines every
    number.
    """
    request = measuring.Request(zoo, data, cache, scope, device, where, download)
    groups = [name.strip() for name in by.split(",") if name.strip()]
    chosen = measuring.epochs(epochs, "--epochs")
    table, frame, left_out = _last(request, groups) if chosen == "last" else _several(request, chosen, groups)
    found: dict[str, Any] = {}
    if quantiles:
        found, more = _quantiles(request, chosen)
        left_out += [out for out in more if out not in left_out]
    if json:
        from vitzoo.analysis.tables.render import to_json

        rows = _members(frame, found)
        print_json({"summary": to_json(table), "left_out": [vars(out) for out in left_out], "members": rows})
    else:
        show(table)
    if code := measuring.code_of(left_out):
        raise typer.Exit(code)


def _last(request: measuring.Request, groups: list[str]) -> "tuple[Table, DataFrame, list[LeftOut]]":
    from vitzoo.analysis.summary import summary

    found = request.measurements(merged=True)
    return summary(found, groups), found.members, list(found.left_out)


def _several(
    request: measuring.Request, epochs: "Epochs", groups: list[str]
) -> "tuple[Table, DataFrame, list[LeftOut]]":
    from vitzoo.analysis.summary import by_epoch

    frame, left_out = request.trajectories(epochs)
    return by_epoch(frame, request.opened.name, request.scope, groups), frame, left_out


def _quantiles(request: measuring.Request, epochs: "Epochs") -> "tuple[dict[str, Any], list[LeftOut]]":
    """Return quantiles by digest, and what was left out."""
    from vitzoo.measures.quantiles import LEVELS, quantiles
    from vitzoo.measures.selection import select

    with request.waiting() as tell:
        found = quantiles(
            select(request.opened, epochs, request.where), lambda done, total: tell("Sorting weights", done, total)
        )
    measuring.explain(found.left_out, ())
    levels = [str(level) for level in LEVELS]
    return {
        sha256: {scope: dict(zip(levels, values.tolist(), strict=True)) for scope, values in scopes.items()}
        for sha256, scopes in found.scopes.items()
    }, found.left_out


def _members(frame: "DataFrame", quantiles: dict[str, Any]) -> list[dict[str, Any]]:
    from vitzoo.measures.measurements import MEASURED
    from vitzoo.measures.plain import finite

    names = ["stage", "member", "epoch", "sha256", *MEASURED]
    rows = finite(frame[names].to_dict("records")) if len(frame) else []
    return [row | ({"quantiles": quantiles[row["sha256"]]} if row["sha256"] in quantiles else {}) for row in rows]


def show(table: "Table") -> None:
    """Print a summary in the terminal: groups beside each other, a few at a time, because their numbers are wide."""
    from vitzoo.analysis.tables import write

    print(printable(table.heading))
    for start in range(0, len(table.rows), ACROSS):
        rows = table.rows[start : start + ACROSS]
        heads = [" ".join(row.labels) for row in rows]
        lines = [
            [column.header, *(write.cell(row.cells[i], column) for row in rows)]
            for i, column in enumerate(table.columns)
        ]
        print_table("", [" ".join(table.labels), *map(printable, heads)], lines, right=[printable(h) for h in heads])
    for note in write.notes(table):
        print(printable(note))
