"""``vitzoo merge across``: models of different trees aligned, averaged, judged, and kept in the zoo."""

from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.merge import options
from vitzoo.cli.output import percent, print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.merging.across.run import Verdict

SHOWN = 12  # points between more than two models


def across(
    zoo: ZooPlace,
    method: Annotated[str, typer.Option(help="How; --method list names all.")] = "learned",
    member: options.Member = None,
    where: options.Where = None,
    points: Annotated[int, typer.Option(min=3, help="Averages between the aligned models that are judged.")] = 11,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    save: options.Save = False,
    name: options.Name = None,
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    json: Annotated[bool, typer.Option("--json", help="Print every number as JSON.")] = False,
) -> None:
    """Align models that were pre-trained apart, and merge them.

    The first model is the reference. What is learned or looked at are training images; the test split only judges.
    A method that fits or learns is shown beside its control, which does the same without alignment.
    """
    if method == "list":
        _print_methods()
        return
    from vitzoo.merging.across.run import judge, site, store
    from vitzoo.merging.ingredients import choose
    from vitzoo.zoo.layout import check_name

    request = measuring.Request(zoo, data, cache, where=where, download=download)
    if save or name:  # what would fail at last fails before anything is computed
        request.opened.files.check_here("given a merged member")
    if name:
        check_name(name)
    choice = choose(request.opened, "uniform", member or [], where)
    place = site(choice.checkpoints, measuring.places(data, cache, download))
    with request.waiting() as tell:
        found = judge(place, method, points, seed, tell)
    saved = store(request.opened, place, found, name).name if save or name else None
    measuring.explain(choice.left_out, [])
    if json:
        print_json(found.plain() | {"member": saved})
    else:
        _print(found, saved)
    if code := measuring.code_of(choice.left_out):
        raise typer.Exit(code)


def _print(found: "Verdict", saved: str | None) -> None:
    from vitzoo.merging.across.path import standard_error

    print(f"{found.method} of {len(found.members)} models; the first is the reference.")
    rows = [["merged", percent(found.accuracy), f"{100 * found.retained:.0f} %"]]
    if found.control:
        rows.append([f"control: {found.control[0]}", percent(found.control[1]), ""])
    rows.append(["ensemble of the models", percent(found.ensemble), ""])
    rows += [[f"  {printable(n)}", percent(a), ""] for n, a in zip(found.members, found.ends, strict=True)]
    print_table("", ["model", "test_acc", "retained"], rows, right=["test_acc", "retained"])
    error = 100 * standard_error(found.accuracy, found.images)
    print(
        f"Retained is (accuracy - chance) / (mean of the models - chance); chance is {percent(found.chance)}. "
        f"Standard error of an accuracy: {error:.1f} points ({found.images} images)."
    )
    _print_between(found)
    if saved:
        print(f"Saved as {printable(saved)}.")


def _print_between(found: "Verdict") -> None:
    walked, models = found.between, len(found.members)
    shown = sorted(range(len(walked.loss)), key=lambda i: -walked.shares[i, 0]) if models == 2 else range(SHOWN)
    rows = [
        [
            " : ".join(f"{share:.2g}" for share in walked.shares[i]),
            percent(walked.accuracy[i]),
            f"{walked.loss[i]:.3f}",
        ]
        for i in shown
        if i < len(walked.loss)
    ]
    print_table(
        "Averages of the aligned models", ["shares", "test_acc", "test_loss"], rows, right=["test_acc", "test_loss"]
    )
    print(
        f"Barrier: loss {walked.loss_barrier:.3f}, accuracy {100 * walked.accuracy_barrier:.1f} points, against the "
        "same averages of the models' own."
    )


def _print_methods() -> None:
    from vitzoo.merging.across.methods import METHODS

    for name, method in METHODS.items():
        print(f"{name}: {method.about}. Looks at {method.looks_at}.")
