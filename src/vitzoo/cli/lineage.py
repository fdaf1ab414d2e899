"""``vitzoo lineage``: who descends from whom, as recorded, as recovered from weights, and how well that works."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import count, print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable
from vitzoo.errors import IntegrityError

if TYPE_CHECKING:
    import networkx

    from vitzoo.lineage.benchmark import Line
    from vitzoo.lineage.check import Verdict

app = typer.Typer(help="Who descends from whom: show, check, recover, benchmark.", no_args_is_help=True)

SHOWN = 40  # lines of a tree before the rest is counted
MADE_OF = 4  # ingredients of a merged member, likewise

Json = Annotated[bool, typer.Option("--json", help="Print every number as JSON.")]
All = Annotated[bool, typer.Option("--all", help="Print every line of the trees.")]
GraphML = Annotated[Path | None, typer.Option("--graphml", metavar="FILE", help="Write the graph as GraphML, too.")]


@app.command()
def show(
    zoo: ZooPlace,
    every: All = False,
    graphml: GraphML = None,
    base_models: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each member's Hugging Face base_model as JSON, too.")
    ] = None,
    json: Json = False,
) -> None:
    """Show the record: who was fine-tuned from whom.

    --json and --graphml export checkpoints, too.
    """
    from vitzoo.lineage import export

    opened = measuring.Request(zoo).opened
    graph = opened.lineage()
    if graphml:
        export.write_graphml(graph, graphml)
    if base_models:
        export.write_json(export.base_models(graph), base_models)
    if json:
        print_json(export.node_link(graph))
        return
    members = graph.subgraph([name for name, kind in graph.nodes(data="kind") if kind == "member"])
    checkpoints = len(graph) - len(members)
    print(f"{printable(opened.name)}: {count(len(members))} members with {count(checkpoints)} checkpoints.\n")
    merged = [name for name, stage in members.nodes(data="stage") if stage == "merging"]
    _print_forest(members.subgraph(set(members) - set(merged)), every)
    _print_merged(members, merged, every)


@app.command()
def check(zoo: ZooPlace, json: Json = False) -> None:
    """Check the record against the weights.

    Is each member nearest to the parent that its record names? Exit code 4 if not.
    """
    from vitzoo.lineage.check import check as run

    request = measuring.Request(zoo)
    with request.waiting() as tell:
        verdicts = run(request.opened, lambda done, total: tell("Comparing weights", done, total))
    wrong = [verdict for verdict in verdicts if not verdict.holds]
    if json:
        print_json([verdict.plain() for verdict in verdicts])
    else:
        _print_verdicts(verdicts, wrong)
    if wrong:
        raise typer.Exit(IntegrityError.exit_code)


@app.command()
def recover(
    place: Annotated[str, typer.Argument(help="A zoo, or a folder with safetensors files under timm's names.")],
    where: Annotated[str, typer.Option(metavar="SQL", help="Which checkpoints of a zoo.")] = "is_last",
    method: Annotated[str, typer.Option(help="How; `vitzoo lineage benchmark` compares them.")] = "spider",
    trees: Annotated[int, typer.Option(min=1, help="Number of trees, for methods that must be told.")] = 1,
    every: All = False,
    graphml: GraphML = None,
    json: Json = False,
) -> None:
    """Recover lineage from weights alone.

    Names and metadata are not looked at, nor are heads.
    """
    from vitzoo.lineage import export
    from vitzoo.lineage.case import Case
    from vitzoo.lineage.models import open_models
    from vitzoo.lineage.recover import recover as run

    request = measuring.Request(place)
    with request.waiting() as tell:
        found = _models(request, where)
        case = Case(open_models(list(found.values())), trees, lambda done, total: tell("Reading weights", done, total))
        parents = run(case, method)
    names = list(found)
    graph = export.forest(names, parents.tolist())
    if graphml:
        export.write_graphml(graph, graphml)
    if json:
        pairs = zip(names, parents.tolist(), strict=True)
        print_json([{"model": name, "parent": names[p] if p >= 0 else None} for name, p in pairs])
        return
    roots = int((parents < 0).sum())
    print(f"{count(len(names))} models in {count(roots)} tree{'s' if roots != 1 else ''}.\n")
    _print_forest(graph, every)


def _models(request: measuring.Request, where: str) -> dict[str, Path]:
    """Name the models of a zoo or a folder."""
    from vitzoo.errors import InputError
    from vitzoo.lineage.models import find_models
    from vitzoo.zoo.remote.address import is_address

    place = Path(request.zoo)
    if not is_address(request.zoo) and not (place / "zoo.json").exists():
        return find_models(place)
    rows = request.opened.rows(where)
    if not rows:
        raise InputError(f"{request.zoo} has no checkpoint where {where}.")
    return dict(zip((f"{row['member']}@{row['epoch']}" for row in rows), request.opened.weights(rows), strict=True))


def _print_forest(graph: "networkx.DiGraph", every: bool) -> None:
    """Print trees with indentation, the larger ones first."""
    import networkx

    roots = [node for node in graph if graph.in_degree(node) == 0]
    roots.sort(key=lambda root: (-len(networkx.descendants(graph, root)), root))
    lines = [line for root in roots for line in _lines(graph, root)]
    for line in lines if every else lines[:SHOWN]:
        print(line)
    if len(lines) > SHOWN and not every:
        print(f"\n{count(len(lines) - SHOWN)} more; --all shows them.")


def _print_merged(graph: "networkx.DiGraph", merged: list[str], every: bool) -> None:
    """Print what each merged member was made of: members of several trees, or of one line, so no tree holds it."""
    for name in merged:
        of = sorted(graph.predecessors(name))
        shown = of if every else of[:MADE_OF]
        more = f" and {count(len(of) - len(shown))} more" if len(of) > len(shown) else ""
        print(f"\n{printable(name)}, merged from {', '.join(map(printable, shown))}{more}")


def _lines(graph: "networkx.DiGraph", root: str) -> list[str]:
    """Write a tree depth first, without recursion: a chain may be long."""
    lines, waiting = [], [(root, "", "")]
    while waiting:
        node, own, below = waiting.pop()
        lines.append(own + printable(str(node)))
        children = sorted(graph.successors(node))
        for i, child in enumerate(reversed(children)):
            last = i == 0
            waiting.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
    return lines


def _print_verdicts(verdicts: "Sequence[Verdict]", wrong: "Sequence[Verdict]") -> None:
    right = len(verdicts) - len(wrong)
    print(f"{count(right)} of {count(len(verdicts))} members are nearest to the parent that their record names.")
    if wrong:
        columns = ["member", "recorded parent", "distance", "nearest", "distance "]
        rows = [
            [
                printable(one.member),
                printable(one.recorded),
                f"{one.distance_recorded:.4g}",
                printable(one.nearest),
                f"{one.distance_nearest:.4g}",
            ]
            for one in wrong
        ]
        print_table("Nearer to another backbone", columns, rows, right=["distance", "distance "])


@app.command()
def benchmark(
    zoo: ZooPlace,
    sets: Annotated[str, typer.Option("--sets", metavar="NAMES", help="Sets, with commas. Default: all.")] = "",
    methods: Annotated[str, typer.Option("--methods", metavar="NAMES", help="Methods. Default: all.")] = "",
    epochs: Annotated[str, typer.Option(help="Which epochs of a training: spread, first or drawn.")] = "spread",
    seed: Annotated[int, typer.Option(min=0, help="Draws what is drawn, and the order of the models.")] = 0,
    images: Annotated[
        int, typer.Option(min=0, help="Images shown to methods that judge by them; 0 leaves those out.")
    ] = 0,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    json: Json = False,
) -> None:
    """Score all methods on the paper's sets.

    Five are the paper's, three are harder: all factors mixed, last checkpoints only, missing parents.
    """
    from vitzoo.lineage.benchmark import benchmark as run
    from vitzoo.lineage.recover import BLIND, METHODS
    from vitzoo.lineage.sets import SETS

    request = measuring.Request(zoo)
    shown = (measuring.places(data, cache), images) if images else None
    chosen = _names(methods) or list(METHODS if images else BLIND)
    with request.waiting() as tell:
        lines = run(request.opened, _names(sets) or list(SETS), chosen, epochs, seed, shown, tell)
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
