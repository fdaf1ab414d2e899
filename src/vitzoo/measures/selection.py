"""Which checkpoints are measured, and what is left out and why: an analysis runs on what is sound and says the rest."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError, VitzooError
from vitzoo.zoo.layout import STAGES

if TYPE_CHECKING:
    from vitzoo.zoo import Checkpoint, Member, Zoo

LAST, ALL = "last", "all"
Row = dict[str, Any]
_NO_EDGE = {"parent_epoch": None, "parent_sha256": None}
Epochs = str | Sequence[int]


def name_of(row: Row) -> str:
    """Return what a checkpoint is called where it is left out.

    >>> name_of({"member": "sl", "epoch": 3})
    'sl, epoch 3'
    """
    return f"{row['member']}, epoch {row['epoch']}"


@dataclass(frozen=True)
class LeftOut:
    """A member or checkpoint that an analysis does not count, and the reason, a clause without a full stop.

    ``damaged`` says that bytes are missing or wrong, rather than that training has not got there.
    """

    what: str
    why: str
    damaged: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


@dataclass(frozen=True)
class Selection:
    """Checkpoints to be measured, as rows of the catalogue, and what is left out.

    ``rows`` are ordered as the catalogue: pre-trained members first, then by name and epoch.
    """

    zoo: "Zoo"
    rows: list[Row]
    left_out: list[LeftOut]

    def member(self, row: Row) -> "Member":
        """Return the member of one of the rows; IntegrityError if the catalogue made it up."""
        if row["member"] not in self._members:
            raise IntegrityError(
                f"The catalogue names {row['member']!r}, which is no member. Remove catalogue.parquet."
            )
        return self._members[row["member"]]

    def parent(self, row: Row) -> "Member | None":
        """Return the parent of one of the rows' members, if it is in the zoo."""
        return self._members.get(row["parent_member"] or "")

    def checkpoint(self, row: Row) -> "Checkpoint":
        """Return the checkpoint of one of the rows; IntegrityError if its digest is not that of the row.

        What is computed is kept under the row's digest, so it must not come from other weights.
        """
        from vitzoo.zoo import Checkpoint

        found = Checkpoint(self.member(row), row["epoch"])
        if found.sha256 != row["sha256"]:
            raise IntegrityError(f"{found.path} was changed after the catalogue was made. Remove catalogue.parquet.")
        return found

    @cached_property
    def _members(self) -> "dict[str, Member]":
        return {member.name: member for member in self.zoo.members()}


def reason(error: Exception, zoo: "Zoo", others: Mapping[Path, str] | None = None) -> str:
    """Return an error's text as a clause that names no directory of this machine, since it may be published.

    Paths in the zoo become relative to it, and those in ``others`` begin with the name given there.
    """
    text = str(error).rstrip(".")
    for place, name in {zoo.place: "", zoo.path: "", **(others or {})}.items():
        if str(place) != ".":  # what lies there has no beginning to cut off
            # A path may be relative, and its letters the end of another word.
            pattern = rf"(?<![\w./-]){re.escape(str(place))}(?:(/)|(?![\w-]))"
            text = re.sub(pattern, lambda m, name=name: name + (m[1] or "") if name else "" if m[1] else ".", text)
    return text


def select(zoo: "Zoo", epochs: Epochs = LAST, where: str | None = None, stages: Sequence[str] = STAGES) -> Selection:
    """Choose checkpoints: every finished member's last one, all, or those of certain epochs.

    Members of other ``stages`` are as if they were not in the zoo.
    ``where`` is a boolean SQL expression over the catalogue's columns. With "last" and whole numbers only finished
    members count, since an unfinished or diverged one has no last epoch to compare; with "all" every checkpoint
    that can be read does. Members that cannot be read are left out whatever ``where`` says.
    InputError if ``where`` or ``epochs`` is no such thing.

    >>> import vitzoo
    >>> select(vitzoo.open("zoos/nano"), where="optimizer = 'adamw'")  # doctest: +SKIP
    """
    rows = [row for row in zoo.rows(where) if row["stage"] in stages]
    readable = zoo.rows(None, ["member", "epoch"])
    epochs_of: dict[str, set[int]] = {}
    for row in readable:
        epochs_of.setdefault(row["member"], set()).add(row["epoch"])
    members = {member.name: member for stage in stages for member in zoo.members(stage)}
    left_out = [out for member in members.values() for out in _damage(member, epochs_of.get(member.name, set()))]
    if isinstance(epochs, str):
        if epochs not in (LAST, ALL):
            raise InputError(f"{epochs!r} is no choice of epochs; use 'last', 'all' or whole numbers.")
        chosen = rows if epochs == ALL else [row for row in rows if row["is_last"]]
    else:
        wanted = set(epochs)
        chosen = [row for row in rows if row["epoch"] in wanted]
    if epochs != ALL:
        unfinished = dict.fromkeys(row["member"] for row in rows if row["status"] != "finished")
        left_out += [LeftOut(name, _unfinished(zoo.member(name))) for name in unfinished]
        damaged = {out.what for out in left_out}
        chosen = [row for row in chosen if row["status"] == "finished" and row["member"] not in damaged]
    left_out += _planned(members, where, set(epochs_of) | {out.what for out in left_out})
    return Selection(zoo, [_with_parent(row, members.get(row["member"])) for row in chosen], left_out)


def _damage(member: "Member", readable: set[int]) -> list[LeftOut]:
    """Say which of a member's checkpoints the catalogue lacks and what is wrong with them."""
    try:
        member.status  # noqa: B018  (reads config and results)
        missing = [checkpoint for checkpoint in member.checkpoints() if checkpoint.epoch not in readable]
    except (VitzooError, OSError) as error:
        return [LeftOut(member.name, reason(error, member.zoo), damaged=True)]
    found = []
    for checkpoint in missing:
        try:
            checkpoint.manifest  # noqa: B018
        except (VitzooError, OSError) as error:
            last = checkpoint.epoch == member.epochs()[-1]
            name = member.name if last else f"{member.name}, epoch {checkpoint.epoch}"
            found.append(LeftOut(name, reason(error, member.zoo), damaged=True))
    return found


def _with_parent(row: Row, member: "Member | None") -> Row:
    """Return a row with the parent that the member's config names.

    The catalogue takes it from the first checkpoint that can be read, which may come from one that cannot.
    """
    name = member.parent_name if member is not None else None
    return row if row["parent_member"] == name else {**row, "parent_member": name, **_NO_EDGE}


def _unfinished(member: "Member") -> str:
    epochs = member.epochs()
    if member.status == "diverged":
        return f"its training diverged after epoch {epochs[-1]} of {member.last_epoch}"
    return f"it is not finished: epoch {epochs[-1]} of {member.last_epoch}"


def _planned(members: Iterable[str], where: str | None, known: set[str]) -> list[LeftOut]:
    """List members without any checkpoint; a condition over checkpoints says nothing of them, so only without one."""
    if where is not None:
        return []
    return [LeftOut(name, "it has no checkpoint yet") for name in members if name not in known]
