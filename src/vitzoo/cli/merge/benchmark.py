"""``vitzoo merge benchmark``: every method of merging across trees on sets of models, as one table."""

from typing import Annotated, Any

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable


def benchmark(
    zoo: ZooPlace,
    method: Annotated[list[str] | None, typer.Option("--method", help="Only these; several times.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Sets of each kind: other models, order and seed.")] = 3,
    kind: Annotated[list[str] | None, typer.Option("--set", help="Only sets of this kind; several times.")] = None,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Which fine-tuned members to choose from.")] = None,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Align once, and turn the children of all other configurations by it.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """Compare all methods of merging models that were pre-trained apart.

    One fine-tuning configuration is taken, the most accurate that every backbone has. What is retained is (accuracy of
    the merged - chance) / (mean accuracy of the models - chance).
    """
    if reuse:
        _reuse(measuring.Request(zoo, data, cache, where=where, download=download), (method or ["learned"])[0], json)
        return
    from vitzoo.merging.across.benchmark import benchmark as run
    from vitzoo.merging.across.benchmark import summary
    from vitzoo.merging.across.methods import METHODS

    request = measuring.Request(zoo, data, cache, where=where, download=download)
    with request.waiting() as tell:
        lines = run(
            request.opened,
            measuring.places(data, cache, download),
            method or list(METHODS),
            draws,
            where,
            kind or [],
            tell,
        )
    found = summary(lines)
    if json:
        print_json({"zoo": request.opened.name, "summary": found, "draws": [line.plain() for line in lines]})
        return
    kinds = list(dict.fromkeys(row["set"] for row in found))
    cells = {(row["set"], row["method"]): _cell(row) for row in found}
    names = list(dict.fromkeys(row["method"] for row in found))
    rows = [[name, *(cells[kind, name] for kind in kinds)] for name in names]
    ends = ["accuracy of the models, %", *(_percent(found, kind, "ends") for kind in kinds)]
    together = ["accuracy of their ensemble, %", *(_percent(found, kind, "ensemble") for kind in kinds)]
    if markdown:
        print("\n".join("| " + " | ".join(row) + " |" for row in _ruled(["method", *kinds], [ends, together, *rows])))
        return
    print_table(
        "Share retained: mean ± standard deviation over draws", ["method", *kinds], [ends, together, *rows], kinds
    )


def _reuse(request: measuring.Request, method: str, json: bool) -> None:
    """Print what symmetries of one configuration's children do for those of others."""
    from vitzoo.merging.across.reuse import reuse

    with request.waiting() as tell:
        found = reuse(request.opened, measuring.places(request.data, request.cache), method, request.where, tell=tell)
    if json:
        print_json([one.plain() for one in found])
        return
    varied = [name for name in found[0].configuration if len({str(one.configuration[name]) for one in found}) > 1]
    columns = [*varied, "models", "as they are", "turned", "retained", ""]
    rows = [
        [
            *(printable(str(one.configuration[name])) for name in varied),
            f"{100 * one.ends:.1f} %",
            f"{100 * one.vanilla:.1f} %",
            f"{100 * one.accuracy:.1f} %",
            f"{one.retained:.2f}",
            "aligned" if one.own else "",
        ]
        for one in found
    ]
    title = f"{found[0].models} backbones aligned once by {method!r}; means of their children"
    print_table(title, columns, rows, right=columns[:-1])


def _ruled(head: list[str], rows: list[list[str]]) -> list[list[str]]:
    return [head, ["---", *("---:" for _ in head[1:])], *rows]


def _cell(row: dict[str, Any]) -> str:
    return f"{row['retained']:.2f}" + ("" if row["sd"] is None else f" ± {row['sd']:.2f}")


def _percent(found: list[dict[str, Any]], kind: str, name: str) -> str:
    return f"{100 * next(row[name] for row in found if row['set'] == kind):.1f}"
