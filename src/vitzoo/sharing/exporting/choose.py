"""Which checkpoints are exported, and what their directories are called."""

from collections.abc import Iterable

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.selection import LAST, Epochs, select
from vitzoo.sharing.exporting.contract import PARTS, Item, Order
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import checkpoint_name


def choose(zoo: Zoo, where: str | None = None, epochs: Epochs = LAST, part: str = "model", copy: bool = False) -> Order:
    """Choose checkpoints as ``measures.select`` does: of finished members, or with "all" every one that can be read.

    InputError if none fits, IntegrityError if the catalogue is not what the checkpoints say.
    """
    if part not in PARTS:
        raise InputError(f"{part!r} is no part of a model; use {', '.join(PARTS)}.")
    chosen = select(zoo, epochs, where)
    if not chosen.rows:
        why = f" Left out: {chosen.left_out[0]}." if chosen.left_out else ""
        raise InputError(f"{zoo.place} has no checkpoint that fits, so there is nothing to export.{why}")
    items = []
    for row in chosen.rows:
        name, epoch = row["member"], row["epoch"]
        folder = name if epochs == LAST else f"{name}/{checkpoint_name(epoch)}"
        items.append(Item(row, chosen.checkpoint(row), folder))
    _check_apart((item.folder for item in items), zoo)
    return Order(zoo, tuple(items), tuple(chosen.left_out), where, epochs, part, copy)


def _check_apart(folders: Iterable[str], zoo: Zoo) -> None:
    """IntegrityError if two directories would have one name where case is ignored; no sound zoo has such members."""
    seen: dict[str, str] = {}
    for folder in folders:
        if (other := seen.setdefault(folder.casefold(), folder)) is not folder:
            raise IntegrityError(
                f"{zoo.place} has {other!r} and {folder!r}, which differ in case at most. Run `vitzoo verify`."
            )
