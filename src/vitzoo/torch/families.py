"""Splits that cannot leak: what shares an ancestor is never in two parts.

A child is near its parent, and so are two backbones that began with the same weights: with one seed they do, whatever
the task, and on nano their weights still have a cosine of 0.9 after training. So a family is all trees whose roots have
one seed; ``by="root"`` makes every tree a family of its own. A merged member has the ancestors of all its ingredients.
It goes where all of them are, and is left out of every part if they are in several.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from vitzoo import rng
from vitzoo.errors import InputError
from vitzoo.measures.selection import LeftOut, name_of
from vitzoo.torch.source import Source
from vitzoo.zoo import Member, Zoo, merge
from vitzoo.zoo.layout import FINETUNING

SEED, ROOT = "seed", "root"
Families = Mapping[str, frozenset[str]]
AnySource = TypeVar("AnySource", bound=Source)


def families(zoo: Zoo, by: str = SEED) -> dict[str, frozenset[str]]:
    """Return which families each member has ancestors in, by its name; a merged one may have several.

    InputError if ``by`` is no way to tell families, or a root's seed is not known.
    """
    if by not in (SEED, ROOT):
        raise InputError(f"{by!r} is no way to tell families; use 'seed' or 'root'.")
    members = {member.name: member for member in zoo.members()}
    unlisted = [member for member in members.values() if member.stage != FINETUNING]  # of these the config is read
    zoo.files.ahead((lambda member=member: member.config for member in unlisted), "Reading recipes")
    found: dict[str, frozenset[str]] = {}
    for name in members:
        _follow(name, members, found, by)
    return found


def assign(names: Sequence[str], fractions: Sequence[float], seed: int = 0) -> dict[str, int]:
    """Return the part of each family: they are ordered by a hash of their names, and the order is cut by fractions.

    The order in which they are given does not matter. InputError if fractions are no shares, or a part gets nothing.

    >>> assign(["a", "b", "c", "d"], (0.5, 0.5)) == assign(["d", "b", "a", "c"], (0.5, 0.5))
    True
    """
    if not fractions or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(f"The fractions {list(fractions)} are no shares: positive numbers whose sum is 1.")
    order = sorted(set(names), key=lambda name: (rng.fold(seed, "split", name), name))
    ends = [round(sum(fractions[: i + 1]) * len(order)) for i in range(len(fractions))]
    if 0 in ends or len(set(ends)) < len(ends):
        raise InputError(
            f"{len(order)} families cannot be split into {len(ends)} parts of {list(fractions)}: one would be empty. "
            "Give other fractions."
        )
    return {name: next(part for part, end in enumerate(ends) if at < end) for at, name in enumerate(order)}


def split(
    data: AnySource, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0, by: str = SEED
) -> tuple[AnySource, ...]:
    """Split a dataset into parts that share no ancestor; fractions are of the zoo's families.

    It is the families of the whole zoo that are split, so datasets of two queries to one zoo split alike, on every
    machine. Each part's ``left_out`` lists the merged members that belong to none.

    Raises:
        InputError: there are too few families, or a part has no checkpoint of this dataset.

    >>> train, validation, test = split(Checkpoints(vitzoo.open("zoos/nano")))  # doctest: +SKIP
    """
    kin = families(data.zoo, by)
    part_of = assign(_all(kin), fractions, seed)
    return _parts(data, kin, part_of, len(fractions))


def folds(data: AnySource, by: str = SEED) -> Iterator[tuple[AnySource, AnySource]]:
    """Yield (train, test) for every family that the dataset has checkpoints of: leave one family out."""
    kin = families(data.zoo, by)
    for tested in sorted(_all({row["member"]: kin[row["member"]] for row in data.rows})):
        train, test = _parts(data, kin, {name: int(name == tested) for name in _all(kin)}, 2)
        yield train, test


def _parts(data: AnySource, kin: Families, part_of: Mapping[str, int], count: int) -> tuple[AnySource, ...]:
    places: list[list[int]] = [[] for _ in range(count)]
    torn = []
    for index, row in enumerate(data.rows):
        parts = {part_of[family] for family in kin[row["member"]]}
        if len(parts) == 1:
            places[parts.pop()].append(index)
        else:
            torn.append(LeftOut(name_of(row), "it was merged from members that are in several parts of the split"))
    if empty := [part for part, indices in enumerate(places) if not indices]:
        raise InputError(
            f"Part {empty[0] + 1} of {count} has no checkpoint of this dataset, since whole families go into a part. "
            "Give other fractions, another seed, or a wider condition."
        )
    return tuple(data.subset(indices, torn) for indices in places)


def _all(kin: Families) -> list[str]:
    return sorted(set().union(*kin.values()))


def _follow(name: str, members: Mapping[str, Member], found: dict[str, frozenset[str]], by: str) -> frozenset[str]:
    """Return a member's families, and remember them."""
    if name in found:
        return found[name]
    if name not in members:
        raise InputError(f"The ancestor {name!r} is not in the zoo, so families cannot be told. Run `vitzoo verify`.")
    member = members[name]
    if member.merge is not None:
        above = [edge["member"] for edge in merge.origins(member.merge)]
    else:
        above = [member.parent_name] if member.parent_name else []
    kin = [_follow(each, members, found, by) for each in above]
    found[name] = frozenset().union(*kin) if kin else frozenset({_family(member, by)})
    return found[name]


def _family(root: Member, by: str) -> str:
    if by == ROOT:
        return root.id
    seed = root.recipe.get("hyperparameters", {}).get("seed")
    if type(seed) is not int:
        raise InputError(f"The seed of {root.name} is not known, so what it began with is not. Split by='root'.")
    return f"seed {seed}"
