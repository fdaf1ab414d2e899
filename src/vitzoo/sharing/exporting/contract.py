"""What is to be exported, and what a target is: it says what it will write, writes it, and explains it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.measures.selection import Epochs, LeftOut, Row

if TYPE_CHECKING:
    from vitzoo.zoo import Checkpoint, Zoo

Tell = Callable[[str, int, int], None]  # (what is being done, done, total)
PARTS = ("model", "backbone", "head")


@dataclass(frozen=True, eq=False)
class Item:
    """One checkpoint to be exported.

    row: its row of the catalogue. folder: what its directory is called where it has one: the member's name if one
    epoch of each member goes out, else ``<member>/checkpoint_<epoch>``.
    """

    row: Row
    checkpoint: "Checkpoint"
    folder: str


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be exported, as it was asked for; a member's items follow each other, their epochs rising.

    part: which tensors ("model", "backbone" or "head"). copy: whether weights are copied rather than linked.
    """

    zoo: "Zoo"
    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]
    where: str | None
    epochs: Epochs
    part: str = "model"
    copy: bool = False

    @cached_property
    def members(self) -> list[list[Item]]:
        """The items of each member."""
        return [list(group) for _, group in groupby(self.items, key=lambda item: item.row["member"])]


@dataclass(frozen=True)
class Survey:
    """What an export will be, before anything is written: files, their bytes, and notes in whole sentences."""

    files: int
    bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exporter:
    """A target.

    what: it, in a line. survey: looks at configs and headers only; InputError for what the target cannot hold.
    write: fills an empty folder with plain files and returns notes on how; it neither stages nor syncs.
    locate: where the i-th item lies, for provenance.json. usage: Markdown that says how the result is used.
    options: those of ``part`` and ``copy`` that the target knows.
    """

    name: str
    what: str
    survey: Callable[[Order, Tell], Survey]
    write: Callable[[Order, Path, Tell], tuple[str, ...]]
    locate: Callable[[Order, int], dict[str, Any]]
    usage: Callable[[Order], str]
    options: frozenset[str] = frozenset()


def at_folder(order: Order, index: int) -> dict[str, Any]:
    """Locate an item in the directory of its own."""
    return {"path": order.items[index].folder}
