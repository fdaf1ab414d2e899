"""Which members and which of their checkpoints: by a condition on factors, by numbers, and what lineage needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vitzoo.errors import InputError
from vitzoo.sharing.fetching.epochs import Epochs
from vitzoo.sharing.fetching.factors import Config, rows
from vitzoo.sharing.fetching.survey import Member
from vitzoo.sharing.official.kinship import parent_names, parent_number, stage_of
from vitzoo.zoo.layout import FINETUNING, PRETRAINING

RIVALS = 8  # members of one name that may be a parent; more are no zoo's
Parents = Mapping[str, list[Member]]


@dataclass(frozen=True)
class Chosen:
    """A member, the numbers of its checkpoints to fetch, and whether it was ``asked`` for or is only a parent."""

    member: Member
    stage: str
    numbers: tuple[int, ...]
    asked: bool = True


def choose(
    members: Sequence[Member],
    configs: Mapping[str, Config],
    where: str | None,
    epochs: Epochs,
    with_parents: bool = True,
) -> tuple[list[Chosen], list[str]]:
    """Return what was chosen, pre-trained members first, and notes on what is not as one might expect.

    Members without an entry in ``configs`` are left out.

    Raises:
        InputError: the condition cannot be used, or no member or no checkpoint fits.
    """
    known = [member for member in members if member.path in configs]
    stages = {member.path: stage_of(member.path, configs[member.path]) for member in known}
    parents = _parents(known, configs, stages)
    asked = known if where is None else _matching(known, configs, parents, where)
    chosen = {m.path: Chosen(m, stages[m.path], tuple(epochs.of(m.checkpoints))) for m in asked}
    notes = _lacking(list(chosen.values()), epochs)
    chosen = {path: one for path, one in chosen.items() if one.numbers}
    if not chosen:
        raise InputError(
            f"No checkpoint fits: of {len(known):,} members {len(asked):,} fit --where, and none of those has a "
            "checkpoint that --epochs asks for."
        )
    if with_parents:
        notes += _add_parents(chosen, configs, parents)
    return sorted(chosen.values(), key=lambda one: (one.stage != PRETRAINING, one.member.path)), notes


def _parents(members: list[Member], configs: Mapping[str, Config], stages: Mapping[str, str]) -> Parents:
    """Who may be the parent of each fine-tuned member, the likeliest first, by the path of the child.

    There may be several, because configs and folders may differ, and one name may occur twice; weights tell later.
    """
    backbones: dict[str, list[Member]] = {}
    for member in members:
        if stages[member.path] == PRETRAINING and len(backbones.setdefault(member.name, [])) < RIVALS:
            backbones[member.name].append(member)
    names = {m.path: parent_names(m.path, configs[m.path]) for m in members if stages[m.path] == FINETUNING}
    return {path: [one for name in said for one in backbones.get(name, [])] for path, said in names.items()}


def _matching(members: list[Member], configs: Mapping[str, Config], parents: Parents, where: str) -> list[Member]:
    from pandas import DataFrame

    from vitzoo.zoo.query import matching

    likeliest = {path: found[0] for path, found in parents.items() if found}
    return [members[position] for position in matching(DataFrame(rows(members, configs, likeliest)), where)]


def _lacking(chosen: list[Chosen], epochs: Epochs) -> list[str]:
    none = [one.member.name for one in chosen if not one.numbers]
    some = [one.member.name for one in chosen if one.numbers and epochs.lacking(one.member.checkpoints)]
    return [
        *_note(none, "have none of the checkpoints asked for"),
        *_note(some, "have only some of the checkpoints asked for"),
    ]


def _add_parents(chosen: dict[str, Chosen], configs: Mapping[str, Config], parents: Parents) -> list[str]:
    """Add the checkpoint that each fine-tuned member began from: the one its config names, else its parent's last."""
    orphans, moved, doubtful = [], [], []
    for one in [one for one in chosen.values() if one.stage == FINETUNING]:
        found = [parent for parent in parents[one.member.path] if parent.checkpoints]
        named = parent_number(configs[one.member.path])
        if not found:
            orphans.append(one.member.name)
        elif named is not None and not any(named in parent.checkpoints for parent in found):
            moved.append(one.member.name)
        if len(found) > 1:
            doubtful.append(one.member.name)
        for parent in found:
            present = chosen.get(parent.path) or Chosen(parent, PRETRAINING, (), asked=False)
            number = named if named in parent.checkpoints else max(parent.checkpoints)
            chosen[parent.path] = replace(present, numbers=tuple(sorted({*present.numbers, number})))
    return [
        *_note(orphans, "have a parent that is not at the source"),
        *_note(moved, "name a checkpoint that their parent does not have; its last is taken"),
        *_note(doubtful, "may have more than one parent, which are all taken"),
    ]


def _note(names: list[str], text: str) -> list[str]:
    """One line for many members.

    >>> _note(["a", "b"], "are small"), _note([], "are small")
    (['2 members are small, for example a.'], [])
    """
    return [f"{len(names):,} member{'s' if len(names) > 1 else ''} {text}, for example {names[0]}."] if names else []
