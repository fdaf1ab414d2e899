"""``vitzoo show``: one member: its recipe, where it comes from and what came of it, its curve."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.output import count, print_json, print_table
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable, sparkline, value

if TYPE_CHECKING:
    from vitzoo.zoo import Member

CURVE_ROWS = 12
CHILD_ROWS = 12
CURVE = ("train_loss", "train_acc", "test_loss", "test_acc", "train_acc_clean", "lr_now", "images_per_second")


def show(
    zoo: ZooPlace,
    member: Annotated[str, typer.Argument(help="Name or id, or a beginning or end of it.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON: everything, exact numbers.")] = False,
) -> None:
    """Show a member's recipe, its lineage up and down, and its curve."""
    import vitzoo

    found = vitzoo.open(zoo).member(member)
    if json:
        print_json(describe(found))
        return
    print(f"{found.name}: {found.stage}, {found.status}, {_epochs(found)}.")
    print(f"{'Merge' if found.merge else 'Recipe'} {found.id}")
    _print_recipe(found.recipe)
    if found.imported:
        _print_imported(found.imported)
    _print_lineage(found)
    _print_curve(found.curve())


def describe(member: "Member") -> dict[str, Any]:
    """Return all that is shown, as JSON data."""
    checkpoints = member.checkpoints()
    return {
        "name": member.name,
        "id": member.id,
        "stage": member.stage,
        "status": member.status,
        "path": member.place,
        "parent": checkpoints[0].manifest["parent"] if checkpoints else member.config["parent"],
        "ancestors": [other.name for other in ancestors(member)],
        "merge": member.merge,
        "merged_into": [other.name for other in member.merged_into()],
        "children": [{"name": c.name, "id": c.id, "status": c.status} for c in member.children()],
        "checkpoints": [{"epoch": c.epoch, "sha256": c.sha256} for c in checkpoints],
        "recipe": member.recipe,
        "imported": member.imported,
        "curve": member.curve(),
    }


def ancestors(member: "Member") -> list["Member"]:
    """List what the member descends from, nearest first."""
    found: list[Member] = []
    above = member.parent
    while above is not None and above not in found:  # a damaged zoo may hold a circle
        found.append(above)
        above = above.parent
    return found


def _epochs(member: "Member") -> str:
    epochs = member.epochs()
    if not epochs:
        return "no checkpoints"
    plural = "s" if len(epochs) > 1 else ""
    return f"{count(len(epochs))} checkpoint{plural} to epoch {epochs[-1]} of {member.last_epoch}"


def _print_recipe(recipe: dict[str, Any]) -> None:
    from vitzoo.zoo.rows import factors

    cells = []
    for group in ("architecture", "dataset", "augmentation", "hyperparameters", "checkpoints"):
        flat = factors({group: recipe.get(group)})
        told = {name.removeprefix("checkpoints_"): v for name, v in flat.items() if v is not None}
        cells.append((group, " · ".join(f"{printable(name)} {value('', v)}" for name, v in told.items()) or "none"))
    print_table("", ("Group", "Factors"), cells)


def _print_imported(imported: dict[str, Any]) -> None:
    """Say where a member comes from, and what was odd there."""
    declared = (
        f"; {count(len(imported['declared']))} declared values: --json shows them" if imported["declared"] else ""
    )
    print(f"Imported from {printable(imported['key'])} (layout {printable(imported['layout'])}{declared})")
    print("\n".join(f"  {printable(note)}" for note in imported["notes"]) + "\n")


def _print_lineage(member: "Member") -> None:
    lines, first = [], member.epochs()[:1]
    origin = member.checkpoint(first[0]).manifest["parent"] if first else None
    for depth, other in enumerate(ancestors(member)):
        at = f", epoch {origin['epoch']} ({origin['sha256'][:12]}…)" if depth == 0 and origin else ""
        lines.append(f"  comes from {other.name}{at}")
    lines += _merged(member.merge) if member.merge else []
    children = member.children()
    if children:
        lines.append(f"  parent of {count(len(children))} members:")
    lines += [f"    {child.name} ({child.status}{_accuracy(child)})" for child in children[:CHILD_ROWS]]
    if len(children) > CHILD_ROWS:
        lines.append(f"    and {count(len(children) - CHILD_ROWS)} more; --json lists them")
    lines += [f"  merged into {other.name}" for other in member.merged_into()]
    print("Lineage")
    print("\n".join(lines or ["  no parent and no children in this zoo"]) + "\n")


def _merged(merge: dict[str, Any]) -> list[str]:
    """Say how a member was merged, and from what."""
    settings = ", ".join(f"{printable(name)} {value('', found)}" for name, found in merge["settings"].items())
    of, parent = merge["ingredients"], merge["parent"]
    lines = [f"  merged by {printable(merge['method'])}{f' ({settings})' if settings else ''} from {count(len(of))}:"]
    for one in of[:CHILD_ROWS]:
        share = f", share {one['share']:.3g}" if "share" in one else ""
        lines.append(f"    {one['member']}, epoch {one['epoch']} ({one['sha256'][:12]}…){share}")
    if len(of) > CHILD_ROWS:
        lines.append(f"    and {count(len(of) - CHILD_ROWS)} more; --json lists them")
    return lines + ([f"  starting at {parent['member']}, epoch {parent['epoch']}"] if parent else [])


def _accuracy(member: "Member") -> str:
    epochs = member.epochs()
    accuracy = member.checkpoint().metrics.get("test_acc") if epochs else None
    return f", test_acc {value('test_acc', accuracy)}" if accuracy is not None else ""


def _print_curve(curve: list[dict[str, Any]]) -> None:
    if not curve:
        print("The curve is empty: no epoch is done.")
        return
    known = {name for line in curve for name in line}
    names = [name for name in CURVE if name in known]
    names += sorted(known - {"epoch", "diverged", *CURVE})[: max(0, 7 - len(names))]
    for name in [name for name in names if name.endswith(("_loss", "_acc"))]:
        print(_summary(name, curve))
    rows = [[_epoch(line), *(value(name, line.get(name)) for name in names)] for line in _thin(curve)]
    title = "Curve" if len(rows) == len(curve) else f"Curve ({len(rows)} of {count(len(curve))} epochs)"
    print_table(title, ["epoch", *names], rows, right=["epoch", *names])


def _summary(name: str, curve: list[dict[str, Any]]) -> str:
    """One line for a metric: its course, its ends and its best."""
    known = [(line["epoch"], line[name]) for line in curve if line.get(name) is not None]
    line = f"  {name:<12} {sparkline([line.get(name) for line in curve])}"
    if not known:
        return line + " not known"
    best = (max if "acc" in name else min)(known, key=lambda item: item[1])
    ends = f"{value(name, known[0][1])} → {value(name, known[-1][1])}"
    return f"{line}  {ends}, best {value(name, best[1])} in epoch {best[0]}"


def _thin(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(curve) <= CURVE_ROWS:
        return curve
    return [curve[i * (len(curve) - 1) // (CURVE_ROWS - 1)] for i in range(CURVE_ROWS)]


def _epoch(line: dict[str, Any]) -> str:
    return f"{line['epoch']}{' diverged' if line.get('diverged') else ''}"
