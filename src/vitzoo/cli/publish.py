"""``vitzoo publish``: a zoo as a dataset on the Hugging Face hub, and its members as models."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.output import count, print_json, size
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable
from vitzoo.cli.waiting import Waiting
from vitzoo.errors import InputError

if TYPE_CHECKING:
    from vitzoo.sharing.publishing import Prepared


def publish(
    zoo: ZooPlace,
    to: Annotated[str, typer.Option(metavar="USER/NAME", help="The dataset on the hub; made if it is not there.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write everything to --out, and send nothing.")] = False,
    out: Annotated[Path | None, typer.Option(help="New folder for --dry-run.")] = None,
    models: Annotated[
        bool, typer.Option("--models", help="Make a model repository for each member, too: USER/NAME-MEMBER.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Make private repositories.")] = False,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="Only members whose last checkpoint fits, and what they came from."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written or sent as JSON.")] = False,
) -> None:
    """Publish a zoo on the Hugging Face hub, with a card, its catalogue as a table, and Croissant metadata.

    The token is the one of `hf auth login`, or HF_TOKEN. An upload that was cut off goes on when it is repeated.
    """
    from datetime import date

    import vitzoo
    from vitzoo.sharing import publishing
    from vitzoo.sharing.exporting.staging import check_target
    from vitzoo.sharing.publishing.address import parse
    from vitzoo.sharing.publishing.upload import check_login

    if dry_run != (out is not None):
        raise InputError("--dry-run and --out DIR belong together: the folder is where a dry run writes.")
    address, opened, waiting = parse(to), vitzoo.open(zoo), Waiting()
    opened.files.check_here("published")
    if out is None:
        check_login()  # before anything is computed
    else:
        check_target(out, opened.path)
    try:
        prepared = publishing.prepare(
            opened, address, day=date.today(), where=where, with_models=models, tell=waiting.take
        )
        if out is not None:
            about = _written(publishing.write(prepared, opened, out, waiting.take))
        else:
            about = _sent(publishing.publish(prepared, private, waiting.take))
    finally:
        waiting.close()
    for reason in prepared.left_out:
        print(f"note: no model repository for {printable(reason)}.", file=sys.stderr)
    if json:
        print_json(_as_json(prepared) | about)
    else:
        _print(prepared, about)


def _written(written: Any) -> dict[str, Any]:
    return {"uploaded": False, "places": [str(path) for path in written.folders], "copied": written.copied}


def _sent(sent: Any) -> dict[str, Any]:
    return {"uploaded": True, "places": [one.url for one in sent], "commits": sum(one.parts for one in sent)}


def _as_json(prepared: "Prepared") -> dict[str, Any]:
    return {
        "repositories": [
            {"kind": r.kind, "id": r.address.id, "files": len(r.files), "bytes": r.bytes} for r in prepared.repositories
        ],
        "left": prepared.left,
        "left_out": list(prepared.left_out),
    }


def _print(prepared: "Prepared", about: dict[str, Any]) -> None:
    dataset, *models = prepared.repositories
    print(f"{printable(about['places'][0])}: {count(len(dataset.files))} files, {size(dataset.bytes)}.")
    if prepared.left:
        print(f"Members of the zoo that --where leaves out: {count(prepared.left)}.")
    if models:
        print(f"Model repositories: {count(len(models))}, the first {printable(about['places'][1])}.")
    if about["uploaded"]:
        print("All of it is on the hub.")
        return
    if about["copied"]:
        print(f"{count(about['copied'])} files of weights were copied, because they cannot be linked from there.")
    print("Nothing was sent. The same command without --dry-run and --out sends it.")
