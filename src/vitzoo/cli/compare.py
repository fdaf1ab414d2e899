"""``vitzoo compare``: two members of a zoo, by every measure of pairs."""

from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable, sparkline

if TYPE_CHECKING:
    from vitzoo.measures.compare import Comparison


def compare(
    zoo: ZooPlace,
    a: Annotated[str, typer.Argument(help="A member: any unique part of its name or id.")],
    b: Annotated[str, typer.Argument(help="Another member.")],
    epoch: Annotated[int | None, typer.Option(min=0, help="Epoch of both. Default: the last of each.")] = None,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """Compare two members: distance of weights, agreement, CKA layer by layer, the loss on the line between them."""
    from vitzoo.measures.compare import compare as run

    request = measuring.Request(zoo, data, cache, device=device, download=download)
    first, second = (request.opened.checkpoint(key, epoch) for key in (a, b))
    with request.waiting() as tell:
        found = run(
            request.opened,
            first,
            second,
            measuring.places(data, cache, download),
            measuring.device_of(device),
            lambda done, total, what: tell("Comparing", done, total),
        )
    if json:
        print_json(found.plain())
    else:
        _print(found)


def _print(found: "Comparison") -> None:
    from vitzoo.measures.plain import finite

    print(f"{printable(found.a)}\n{printable(found.b)}\n")
    lines = [
        ("L2 between backbones", found.distance, "{:.4g}"),
        ("agreement", found.agreement, "{:.1%}"),
        ("Cohen's κ", found.kappa, "{:.3f}"),
    ]
    for name, value, form in lines:
        print(f"{name:<22}{'–' if value is None else form.format(value)}")
    for layer, value in found.similarity.items():
        print(f"{'CKA, ' + layer:<22}{value:.3f}")
    if (line := found.connection) is not None:
        print(f"{'loss from a to b':<22}{sparkline(finite(line.loss))}  {line.loss[0]:.3f} … {line.loss[-1]:.3f}")
        print(f"{'loss barrier':<22}{line.loss_barrier:.3f}")
        print(f"{'error barrier':<22}{100 * line.error_barrier:.1f} pp")
    for text in found.missing:
        print(printable(text))
