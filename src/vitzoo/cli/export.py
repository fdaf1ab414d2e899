"""``vitzoo export``: checkpoints for other tools, in the forms that they expect."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json, size
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.sharing.exporting.run import Result


def export(
    zoo: ZooPlace,
    to: Annotated[str, typer.Option(help="timm, huggingface, npz or official.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="New folder for it.")],
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Boolean expression over the columns.")] = None,
    epoch: Annotated[str, typer.Option(help="last, all, or epochs such as 0,5,10.")] = "last",
    part: Annotated[str, typer.Option(help="npz: which weights: model, backbone or head.")] = "model",
    copy: Annotated[bool, typer.Option("--copy", help="timm: copy weights rather than link them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be; write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Export checkpoints for other tools; licence and provenance go with them.

    timm and huggingface: a directory for each checkpoint, which stock timm or transformers opens. npz: one matrix of
    weights, which NumPy maps into memory, with tables of its rows and columns. official: the published zoo's tree.

    The folder appears when it is complete. Exit code 1 if something was left out, 4 if that was because bytes are
    damaged.
    """
    from vitzoo.sharing.exporting.run import export as run

    request, epochs = measuring.Request(zoo, where=where), measuring.epochs(epoch, "--epoch")
    with request.waiting() as tell:
        opened = request.opened
        found = run(opened, to, out, where=where, epochs=epochs, part=part, copy=copy, dry_run=dry_run, tell=tell)
    measuring.explain(found.left_out, opened.catalogue().notes)
    if json:
        print_json({"zoo": opened.name, "licence": opened.licence, **found.plain()})
    else:
        _print(found)
    if code := measuring.code_of(found.left_out):
        raise typer.Exit(code)


def _print(found: "Result") -> None:
    from vitzoo.analysis.words import counted

    amount = f"{counted(found.checkpoints, 'checkpoint')} of {counted(found.members, 'member')}"
    what = f"{counted(found.files, 'file')}, {size(found.bytes)}"
    if found.written:
        print(f"Exported {amount} to {printable(found.out)}: {what}.")
    else:
        print(f"Would export {amount} to {printable(found.out)}: about {what}. Nothing was written.")
    for note in found.notes:
        print(printable(note))
    if found.written:
        print(f"{printable(found.out)}/README.md says how to use it, provenance.json where it comes from.")
