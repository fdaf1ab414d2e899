"""``vitzoo lineage``: who descends from whom, as recorded, as recovered from weights, and how well that works."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json, print_table
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.lineage.benchmark import Line

app = typer.Typer(help="Who descends from whom: show, check, recover, benchmark.", no_args_is_help=True)

Zoo = Annotated[Path, typer.Argument(help="Directory of the zoo.")]
Json = Annotated[bool, typer.Option("--json", help="Print every number as JSON.")]


@app.command()
def benchmark(
    zoo: Zoo,
    sets: Annotated[str, typer.Option("--sets", metavar="NAMES", help="Sets, with commas. Default: all.")] = "",
    methods: Annotated[str, typer.Option("--methods", metavar="NAMES", help="Methods. Default: all.")] = "",
    epochs: Annotated[str, typer.Option(help="Which epochs of a training: spread, first or drawn.")] = "spread",
    seed: Annotated[int, typer.Option(min=0, help="Draws what is drawn, and the order of the models.")] = 0,
    json: Json = False,
) -> None:
    """Recover lineage by every method on the paper's five sets and three harder ones; print how well."""
    from vitzoo.lineage.benchmark import benchmark as run
    from vitzoo.lineage.recover import METHODS
    from vitzoo.lineage.sets import SETS

    request = measuring.Request(zoo)
    with request.waiting() as tell:
        lines = run(request.opened, _names(sets) or list(SETS), _names(methods) or list(METHODS), epochs, seed, tell)
    if json:
        print_json([line.plain() for line in lines])
    else:
        _print(lines)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print(lines: "list[Line]") -> None:
    from vitzoo.lineage.recover import METHODS

    for name in dict.fromkeys(line.sample for line in lines):
        own = [line for line in lines if line.sample == name]
        columns = ["method", "F1", "95 %", "F1 undirected", "roots", "ARI", "accuracy", "F1 of star"]
        rows = [
            [
                METHODS[line.method].title if line.method in METHODS else line.method,
                f"{line.trajectory.f1:.3f}",
                f"{line.trajectory.low:.2f}–{line.trajectory.high:.2f}",
                f"{line.trajectory.undirected:.3f}",
                f"{line.trajectory.roots:.2f}",
                f"{line.trajectory.ari:.2f}",
                f"{line.trajectory.accuracy:.4f}",
                f"{line.star.f1:.3f}",
            ]
            for line in own
        ]
        title = f"{printable(name)}: {own[0].models} models, {own[0].trees} trees"
        print_table(title, columns, rows, right=columns[1:])
    print("F1 and accuracy are over all n² entries of the adjacency matrix, as in the paper's Table 3. The truth is")
    print("the trajectory, or for the last column the star around each root. Intervals are bootstraps over trees.")
