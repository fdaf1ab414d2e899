"""``vitzoo merge models``: one model made of several of one lineage, judged beside them, and kept in the zoo."""

from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.merge import options
from vitzoo.cli.output import count, percent, print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable
from vitzoo.errors import InputError

if TYPE_CHECKING:
    from vitzoo.merging.models import Judged, Result

SHOWN = 12  # ingredients before the rest is counted


def models(
    zoo: ZooPlace,
    method: Annotated[str, typer.Option(help="How; --method list names all and their settings.")],
    member: options.Member = None,
    where: options.Where = None,
    assign: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the method.")
    ] = None,
    save: options.Save = False,
    name: options.Name = None,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """Merge models of one lineage: an average, a soup, a sum of differences, a fit.

    The merged model is judged on the test split beside its ingredients. Methods that choose do so by held-out training
    images, never by the test split.
    """
    if method == "list":
        _print_methods()
        return
    from vitzoo.merging.models import merge, store
    from vitzoo.zoo.layout import check_name

    request = measuring.Request(zoo, data, cache, device=device, where=where, download=download)
    if save or name:  # what would fail at last fails before anything is computed
        request.opened.files.check_here("given a merged member")
    if name:
        check_name(name)
    places, computed_on = measuring.places(data, cache, download), measuring.device_of(device)
    with request.waiting() as tell:
        found = merge(request.opened, places, method, member or [], where, _settings(assign), computed_on, tell)
    saved = store(request.opened, found, name).name if save or name else None
    measuring.explain(found.left_out, found.notes)
    if json:
        print_json(found.plain() | {"member": saved})
    else:
        _print(found, saved)
    if code := measuring.code_of(found.left_out):
        raise typer.Exit(code)


def _settings(assign: list[str] | None) -> dict[str, str]:
    found = {}
    for text in assign or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text!r} sets nothing; write a setting and its value, such as --set k=3.")
        found[key.strip()] = value
    return found


def _print(found: "Result", saved: str | None) -> None:
    merged = found.merged
    of = count(len(merged))
    number = of if len(merged) == len(found.ingredients) else f"{of} of {count(len(found.ingredients))}"
    settings = " · ".join(f"{key} {value}" for key, value in (found.settings | found.chosen).items())
    print(f"{found.method}{f' ({settings})' if settings else ''} of {number} models.")
    if found.parent:
        print(f"Differences are from {printable(found.parent['member'])}, epoch {found.parent['epoch']}.")
    rows = [
        ["merged", "", percent(found.accuracy), f"{found.loss:.3f}"],
        ["mean of the models", "", percent(found.mean), f"{found.mean_loss:.3f}"],
        ["best of the models", "", percent(found.best.accuracy), f"{found.best.loss:.3f}"],
        *(_line(one) for one in sorted(found.ingredients, key=lambda one: one.share == 0)[:SHOWN]),
    ]
    print_table("", ["model", "share", "test_acc", "test_loss"], rows, right=["share", "test_acc", "test_loss"])
    if len(found.ingredients) > SHOWN:
        print(f"{count(len(found.ingredients) - SHOWN)} models more; --json lists all.")
    if saved:
        print(f"Saved as {printable(saved)}.")


def _line(one: "Judged") -> list[str]:
    share = "" if one.share is None else f"{one.share:.3g}"
    return [f"  {printable(one.member)}, epoch {one.epoch}", share, percent(one.accuracy), f"{one.loss:.3f}"]


def _print_methods() -> None:
    from vitzoo.merging.methods import METHODS

    for name, method in METHODS.items():
        needs = [
            *(["epochs of one member"] if method.trajectory else []),
            *(["a common parent"] if method.parent else []),
            *(["held-out images"] if method.held_out else []),
        ]
        print(f"{name}: {method.what}{'. Needs ' if needs else ''}{' and '.join(needs)}.")
        for key, setting in method.settings.items():
            default = "none" if setting.default is None else setting.default
            print(f"    {key}={default}  {setting.what}")
