"""``vitzoo ls``: what a zoo holds, one line per member or checkpoint."""

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.output import count, print_json, print_table, size
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable, value

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

DEFAULT_LIMIT = 30
WIDTH = 100
# Shown if they differ between the members of the stages listed, the most telling first, as many as fit.
FACTORS = (
    *("stage", "method", "optimizer", "lr", "head", "seed", "parent_task", "parent_seed", "parent_batch_size", "task"),
    *("batch_size", "dataset", "weight_decay", "epochs", "dim", "depth", "mixup", "cutmix", "schedule", "image_size"),
    *("patch_size", "init", "momentum", "status"),
)
METRICS = ("test_acc", "train_acc_clean")
_PER_CHECKPOINT = re.compile(r"\b(epoch|is_last|from_epoch)\b")


def ls(
    zoo: ZooPlace,
    where: Annotated[str | None, typer.Option(metavar="SQL", help="Boolean expression over the columns.")] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="Columns to show.")] = None,
    sort: Annotated[str | None, typer.Option(metavar="COLUMN", help="Order; '-lr' puts the largest first.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help=f"Rows to show, {DEFAULT_LIMIT} if not given.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show all rows.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: all columns, exact numbers.")] = False,
) -> None:
    """List the members of a zoo, each with its last checkpoint, best first.

    With 'epoch' in --where every checkpoint is a row, for example --where "optimizer = 'adamw' AND epoch = 5".
    """
    import vitzoo

    opened = vitzoo.open(zoo)
    catalogue = opened.catalogue()
    for note in catalogue.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    condition, per_checkpoint = _condition(opened, where)
    matching = opened.count(condition)
    wanted = [name.strip() for name in columns.split(",")] if columns else None
    order = sort or ("-test_acc" if "test_acc" in catalogue.columns else None)
    shown = None if everything or (json and limit is None) else DEFAULT_LIMIT if limit is None else limit
    rows = opened.rows(condition, wanted, shown, order)
    if json:
        kind = "checkpoints" if per_checkpoint else "members"
        print_json({**_about(opened), "rows_are": kind, "matching": matching, "rows": rows})
        return
    _print_about(opened)
    _print_rows(opened, rows, wanted, _title(matching, len(rows), per_checkpoint, order))
    if len(rows) < matching:
        print(f"{count(matching - len(rows))} more; --all shows them.")


def _condition(zoo: "Zoo", where: str | None) -> tuple[str, bool]:
    """Return the condition on rows, and whether rows are checkpoints (members otherwise)."""
    if where is None:
        return "is_last", False
    zoo.count(where)  # refuses what is no expression, before it is combined
    if _PER_CHECKPOINT.search(where):
        return where, True
    return f"({where}\n) AND is_last", False


def _about(zoo: "Zoo") -> dict[str, Any]:
    summary = zoo.catalogue().summary
    return {
        "zoo": zoo.name,
        "path": zoo.place,
        "licence": zoo.licence,
        "members": summary["members"],
        "checkpoints": summary["checkpoints"],
        "bytes": summary["bytes"],
        "unreadable": summary["unreadable"],
    }


def _print_about(zoo: "Zoo") -> None:
    about = _about(zoo)
    total = sum(about["members"].values())
    states = ", ".join(f"{count(number)} {state}" for state, number in about["members"].items())
    print(
        f"{printable(zoo.name)}: {count(total)} members ({states or 'none yet'}), "
        f"{count(about['checkpoints'])} checkpoints, {size(about['bytes'])}, {printable(zoo.licence)}."
    )


def _title(matching: int, shown: int, per_checkpoint: bool, order: str | None) -> str:
    what = "checkpoint" if per_checkpoint else "member"
    what += "" if matching == 1 else "s"
    number = count(matching) if shown == matching else f"{count(shown)} of {count(matching)}"
    by = "" if order is None else f", by {order.removeprefix('-')}{' (largest first)' if order[0] == '-' else ''}"
    return f"{number} {what}{'' if per_checkpoint else ' at the last checkpoint'}{by}"


def _print_rows(zoo: "Zoo", rows: list[dict[str, Any]], wanted: list[str] | None, title: str) -> None:
    if not rows:
        print("No checkpoint fits.")
        return
    if wanted is None:
        cells = [{"id": row["id"][:8], **{k: v for k, v in row.items() if k != "id"}} for row in rows]
        names = _telling(cells, _differing(zoo, {row["stage"] for row in rows}))
    else:
        cells, names = rows, wanted
    table = [[value(name, row[name]) for name in names] for row in cells]
    numeric = [name for name in names if any(isinstance(row[name], int | float) for row in cells)]
    print(title)  # not in the table, whose width it would be folded to
    print_table("", names, table, right=numeric)


def _differing(zoo: "Zoo", stages: set[str]) -> list[str]:
    """Name the factors that differ between members of these stages, shown or not."""
    factors = [name for name in FACTORS if name in zoo.catalogue().columns]
    members = [row for row in zoo.rows("is_last", ["stage", *factors]) if row["stage"] in stages]
    return [name for name in factors if len({str(row[name]) for row in members if row[name] is not None}) > 1]


def _telling(rows: list[dict[str, Any]], differing: list[str]) -> list[str]:
    """Choose columns: the id, the factors that differ, the epoch and the metrics, as far as a line goes."""
    after = ["epoch", *(name for name in METRICS if name in rows[0])]
    room = WIDTH - sum(_width(name, rows) for name in ("id", *after))
    before = []
    for name in differing:
        room -= _width(name, rows)
        if room >= 0:
            before.append(name)
    return ["id", *before, *after]


def _width(name: str, rows: list[dict[str, Any]]) -> int:
    return 3 + max(len(name), *(len(value(name, row[name])) for row in rows))
