"""``vitzoo similarity``: how alike members represent the same images."""

from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.measures.representation.similarity import Similarity

MOST = 8  # members beside each other in the terminal


def similarity(
    zoo: ZooPlace,
    where: Annotated[
        str, typer.Option(metavar="SQL", help="Boolean expression over the columns that chooses members.")
    ] = "stage = 'pretraining'",
    layer: Annotated[str | None, typer.Option(help="Show this layer only. Default: the last block.")] = None,
    images: Annotated[int, typer.Option(min=4, help="Images that are shown to all.")] = 512,
    tokens: Annotated[str, typer.Option(help="What stands for an image: class, or patches for their mean.")] = "class",
    of: Annotated[
        str | None, typer.Option(metavar="MEMBER", help="Show the images this member was trained on.")
    ] = None,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print all layers of all members as JSON.")] = False,
) -> None:
    """Compare representations: debiased linear CKA between the members of a zoo, layer by layer."""
    from vitzoo.measures.representation.signing import SimilaritySetting
    from vitzoo.measures.representation.similarity import similarity as run
    from vitzoo.measures.selection import select

    request = measuring.Request(zoo, data, cache, device=device, download=download)
    with request.waiting() as tell:
        found = run(
            select(request.opened, where=where),
            measuring.places(data, cache, download),
            SimilaritySetting(images=images, tokens=tokens),
            of,
            measuring.device_of(device),
            lambda done, total, what: tell("Comparing representations", done, total),
        )
    if json:
        print_json(found.plain())
    else:
        measuring.explain(found.left_out, ())
        _print(found, layer)
    if code := measuring.code_of(found.left_out):
        raise typer.Exit(code)


def _print(found: "Similarity", layer: str | None) -> None:
    if not found.rows:
        print("No representation could be compared.")
        return
    chosen = layer or [row.layer for row in found.rows][-2 if len(found.rows) > 1 else -1]
    rows, matrix = found.at(chosen)
    shown = f"at most {found.setting.images} images of {printable(found.dataset)}"  # all, if there are fewer
    print(f"Debiased linear CKA at {printable(chosen)}, {shown}:")
    for number, row in enumerate(rows, 1):
        print(f"{number:>4}  {printable(row.member)}")
    head = [str(number) for number in range(1, min(len(rows), MOST) + 1)]
    lines = [[str(i + 1), *(f"{value:.2f}" for value in matrix[i, :MOST])] for i in range(len(rows))]
    print_table("", ["", *head], lines, right=["", *head])
    if len(rows) > MOST:
        print(f"{len(rows) - MOST} more columns, and all layers: --json.")
