"""A survey becomes a zoo: backbones first, then what was fine-tuned from them. Safe to kill and to repeat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing.importing import naming, origin, recipes, weights
from vitzoo.sharing.importing.origin import Origin
from vitzoo.sharing.importing.quarantine.pool import Pool
from vitzoo.sharing.importing.survey import Found, Survey, Unplaced
from vitzoo.sharing.names.architecture import infer
from vitzoo.zoo import Member, Zoo, atomic, safetensors_io
from vitzoo.zoo.commit import Ready
from vitzoo.zoo.layout import FINETUNING, PRETRAINING

BLUEPRINT = (
    "# This zoo was not grown from a blueprint: it was imported (layout: {layout}).\n# {members} models were found.\n"
)

Tell = Callable[[str, int, int, str], None]


@dataclass
class Imported:
    """What came of an import: members new and there before, checkpoints and bytes, what was left out and odd."""

    zoo: Zoo
    members: int = 0
    there: int = 0
    checkpoints: int = 0
    bytes: int = 0
    as_they_lie: int = 0
    left_out: list[Unplaced] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wishes:
    """What the user may choose: the zoo's name and licence, whether files stay where they are, number of workers."""

    name: str
    licence: str
    in_place: bool = False
    workers: int | None = None


def run(survey: Survey, path: Path, wishes: Wishes, tell: Tell = lambda what, done, total, unit: None) -> Imported:
    """Make a zoo of a survey at ``path``, or complete it there. Nothing under the survey's root is changed.

    InputError if there is nothing to import, or another zoo is there. ``tell`` gets (what, bytes done, in all, unit).
    """
    if not survey.members:
        raise InputError(f"{survey.root} holds no model that can be imported. {_first(survey.unplaced)}")
    text = BLUEPRINT.format(layout=survey.layout, members=len(survey.members))
    zoo = Zoo.create(path, name=wishes.name, licence=wishes.licence, blueprint=text, execution={})
    zoo.sweep()
    result = Imported(zoo, left_out=list(survey.unplaced))
    there = {member.imported["key"]: member for member in zoo.members() if member.imported}
    names = naming.names(survey.members)
    total = sum(file.size for found in survey.members for file in found.checkpoints.values())
    outbox = atomic.staging_path(zoo.path, "import")
    outbox.mkdir()
    done = 0
    try:
        with Pool(outbox, wishes.workers) as pool:
            for stage in (PRETRAINING, FINETUNING):  # a parent is in the zoo before its children come
                waiting = [found for found in survey.members if found.stage == stage]
                new = [found for found in waiting if not _is_complete(there.get(found.key), found)]
                for found in waiting:
                    if found not in new:
                        result.there += 1
                        done += sum(file.size for file in found.checkpoints.values())
                for found, ready in weights.of_members(new, survey.root, pool, wishes.in_place):
                    _add(zoo, survey.layout, found, names[found.key], ready, there, result)
                    done += sum(file.size for file in found.checkpoints.values())
                    tell("Importing", done, total, "")
    finally:
        atomic.discard(outbox)
    return result


def _add(
    zoo: Zoo,
    layout: str,
    found: Found,
    name: str,
    outcomes: Mapping[int, weights.Outcome],
    there: dict[str, Member],
    result: Imported,
) -> None:
    """Add one member with all its checkpoints, or note why it is left out."""
    ready = {epoch: outcome for epoch, outcome in outcomes.items() if isinstance(outcome, Ready)}
    failed = [str(outcome) for outcome in outcomes.values() if isinstance(outcome, InputError)]
    if not ready:
        result.left_out.append(Unplaced(found.key, failed[0], model=True))
        return
    found.notes += failed
    result.left_out += [Unplaced(found.key, reason, model=True) for reason in failed]
    first = ready[min(ready)].path
    arch = infer(
        {n: slot.shape for n, slot in safetensors_io.read_header(first).items()}, found.recipe.get("architecture")
    )
    came = _origin(found, first, arch.depth, there) if found.stage == FINETUNING else Origin()
    found.notes += came.notes
    if came.contradicted:
        result.contradicted.append(f"{name}: {came.notes[-1]}")
    by_epoch = _renumbered(ready, found, came)
    parent = came.checkpoint.member if came.checkpoint else None
    if found.stage == FINETUNING and parent is None:
        found.notes.append(f"it was fine-tuned from {found.parent_hint or 'a model'} that is not here")
    edge = {"member": parent.name, "id": parent.id} if parent else None
    member = zoo.add_member(recipes.config(found, name, layout, arch, edge, sorted(by_epoch)))
    _commit(member, by_epoch, found.metrics, came)
    there[found.key] = member
    result.members += 1
    result.checkpoints += len(by_epoch)
    result.bytes += sum(file.size for file in by_epoch.values())
    result.as_they_lie += sum(file.source is None for file in by_epoch.values())


def _origin(found: Found, first: Path, depth: int, there: Mapping[str, Member]) -> Origin:
    names = origin.sample(safetensors_io.read_header(first), depth)
    named = [there[key] for key in (found.parent, *found.rivals) if key is not None and key in there]
    backbones = [member for member in there.values() if member.stage == PRETRAINING]
    return origin.find(safetensors_io.read(first, names), named, found.parent_epoch, backbones)


def _renumbered(ready: Mapping[int, Ready], found: Found, came: Origin) -> dict[int, Ready]:
    """Let the weights end a doubt about epochs: what equals its parent is from before training, and nothing else is."""
    first, shift = min(ready), 0
    if came.equal and first == 1:
        shift = -1
    elif came.checkpoint is not None and not came.equal and first == 0 and not found.epochs_certain:
        shift = 1
    if shift:
        equals = "equals its parent" if shift < 0 else "differs from its parent"
        found.notes.append(f"its first checkpoint {equals}, so numbers of checkpoints were shifted by {shift:+d}")
    return {epoch + shift: file for epoch, file in ready.items()}


def _commit(member: Member, by_epoch: Mapping[int, Ready], metrics: Mapping[int, Any], came: Origin) -> None:
    edge = None
    if came.checkpoint is not None:
        edge = {"member": came.checkpoint.member.name, "epoch": came.checkpoint.epoch, "sha256": came.checkpoint.sha256}
    for count, epoch in enumerate(sorted(by_epoch)):
        member.commit(epoch, by_epoch[epoch], metrics.get(epoch, {}), None if count else edge)
        if by_epoch[epoch].source is not None:
            by_epoch[epoch].path.unlink(missing_ok=True)  # the zoo's name of it stays
    member.record_epochs({"epoch": epoch, **line} for epoch, line in sorted(metrics.items()) if epoch not in by_epoch)


def _is_complete(member: Member | None, found: Found) -> bool:
    """Say whether a member was imported before, with as many checkpoints as there are now."""
    return member is not None and len(member.epochs()) == len(found.checkpoints)


def _first(unplaced: Sequence[Unplaced]) -> str:
    return f"The first thing found: {unplaced[0]}." if unplaced else "It is empty."
