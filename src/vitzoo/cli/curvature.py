"""``vitzoo curvature``: how sharply the loss curves at members."""

from typing import Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import count, print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable


def curvature(
    zoo: ZooPlace,
    where: Annotated[
        str, typer.Option(metavar="SQL", help="Boolean expression over the columns that chooses members.")
    ] = "stage = 'finetuning'",
    images: Annotated[int, typer.Option(min=2, help="Images that the loss is over.")] = 512,
    split: Annotated[str, typer.Option(help="Split they are of: train or test.")] = "train",
    top: Annotated[int, typer.Option(min=1, help="Largest eigenvalues to find.")] = 1,
    probes: Annotated[int, typer.Option(min=2, help="Random vectors for the trace.")] = 16,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """Find the largest eigenvalues and the trace of the Hessian of the cross-entropy at members of a zoo.

    Takes minutes for many or large members; what was measured before is kept. Needs the extra 'curvature'.
    """
    from vitzoo.measures.landscape.curvature import CurvatureSetting
    from vitzoo.measures.landscape.curvature import curvature as run
    from vitzoo.measures.selection import select

    request = measuring.Request(zoo, data, cache, device=device, download=download)
    with request.waiting() as tell:
        found = run(
            select(request.opened, where=where),
            measuring.places(data, cache, download),
            CurvatureSetting(images, split, top, probes),
            measuring.device_of(device),
            lambda done, total, what: tell("Measuring curvature", done, total),
        )
    if json:
        print_json(found.plain())
    else:
        measuring.explain(found.left_out, ())
        rows = [
            [
                printable(one.member),
                f"{one.loss:.4f}",
                f"{one.gradient_norm:.3g}",
                f"{one.eigenvalues[0]:.4g}",
                f"{one.trace:.4g} ± {one.trace_error:.2g}",
            ]
            for one in found.found
        ]
        names = ["member", "loss", "gradient", "top eigenvalue", "trace ± standard error"]
        shown = found.found[0].images if found.found else images  # a split may have fewer
        print_table(f"On {count(shown)} images of the {split} split:", names, rows, right=names[1:])
    if code := measuring.code_of(found.left_out):
        raise typer.Exit(code)
