"""Which members are published: those that fit a condition, whole, and all that they came from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitzoo.errors import InputError
from vitzoo.zoo import merge

if TYPE_CHECKING:
    from vitzoo.zoo import Member, Zoo

_PER_CHECKPOINT = re.compile(r"\b(epoch|is_last|from_epoch)\b")


@dataclass(frozen=True)
class Choice:
    """Members of a zoo, each after what it came from. ``where`` is the condition, None for the whole zoo."""

    zoo: "Zoo"
    members: "tuple[Member, ...]"
    where: str | None = None

    @property
    def names(self) -> frozenset[str] | None:
        """Names of the members; None for the whole zoo."""
        return None if self.where is None else frozenset(member.name for member in self.members)


def choose(zoo: "Zoo", where: str | None = None) -> Choice:
    """Choose the members whose last checkpoint fits a condition over the catalogue's columns, or all.

    With ``epoch`` in the condition any checkpoint chooses its member. Members are published with all their checkpoints,
    so that what is published is a zoo again; so are their parents and ingredients. InputError if nothing fits.
    """
    every = {member.name: member for member in zoo.members()}
    chosen = _with_origins(every.values() if where is None else _fitting(zoo, where, every), every)
    if not chosen:
        raise InputError(
            f"No member of {zoo.path} fits {where!r}, so there is nothing to publish."
            if where is not None
            else f"{zoo.path} has no members, so there is nothing to publish. Grow it first."
        )
    return Choice(zoo, tuple(chosen), where)


def origins(member: "Member") -> list[str]:
    """Names of the members that a member came from: its parent, or what it was merged of."""
    config = member.config
    if config["parent"]:
        return [config["parent"]["member"]]
    return list(dict.fromkeys(edge["member"] for edge in merge.origins(member.merge))) if member.merge else []


def _fitting(zoo: "Zoo", where: str, every: "dict[str, Member]") -> "list[Member]":
    zoo.count(where)  # refuses what is no expression, before it is combined
    condition = where if _PER_CHECKPOINT.search(where) else f"({where}\n) AND is_last"
    return [every[name] for name in dict.fromkeys(row["member"] for row in zoo.rows(condition, ["member"]))]


def _with_origins(members: "Iterable[Member]", every: "dict[str, Member]") -> "list[Member]":
    found: dict[str, Member] = {}
    for member in members:
        waiting = [member]
        while waiting:  # no recursion: merges of merges may go deep, and a damaged zoo may hold a circle
            above = [every[name] for name in origins(waiting[-1]) if name in every and name not in found]
            above = [other for other in above if other not in waiting]
            if above:
                waiting.append(above[0])
            else:
                last = waiting.pop()
                found[last.name] = last
    return list(found.values())
