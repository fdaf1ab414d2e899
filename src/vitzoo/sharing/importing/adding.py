"""One surveyed member with its converted weights becomes a member of the zoo, or is left out with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing.importing import origin, recipes, restore
from vitzoo.sharing.importing.origin import Origin
from vitzoo.sharing.importing.survey import Found, Unplaced
from vitzoo.sharing.importing.weights import Outcome
from vitzoo.sharing.names.architecture import infer
from vitzoo.zoo import Member, Zoo, safetensors_io
from vitzoo.zoo.commit import Ready
from vitzoo.zoo.layout import FINETUNING, PRETRAINING

Lines = Mapping[int, Any]


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


class Adder:
    """Adds members to a zoo and counts; ``known`` are the members imported so far, by their place at the source."""

    def __init__(self, layout: str, result: Imported) -> None:
        self.layout = layout
        self.result = result
        self.zoo = result.zoo
        self.known = {member.imported["key"]: member for member in self.zoo.members() if member.imported}

    def is_complete(self, found: Found) -> bool:
        """Say whether a member was imported before, with as many checkpoints as there are now."""
        member = self.known.get(found.key)
        return member is not None and len(member.epochs()) == len(found.checkpoints)

    def add(self, found: Found, name: str, outcomes: Mapping[int, Outcome]) -> None:
        """Add one member with all its checkpoints; whatever cannot be had is noted as left out."""
        ready = {epoch: outcome for epoch, outcome in outcomes.items() if isinstance(outcome, Ready)}
        failed = [str(outcome) for outcome in outcomes.values() if isinstance(outcome, InputError)]
        found.notes += failed
        self.result.left_out += [Unplaced(found.key, reason, model=True) for reason in failed]
        if not ready:
            return
        try:
            member = self._restored(found, ready) if found.travelled else self._foreign(found, name, ready)
        except InputError as error:
            self.result.left_out.append(Unplaced(found.key, str(error), model=True))
            return
        self.known[found.key] = member
        self.result.members += 1
        self.result.checkpoints += len(ready)
        self.result.bytes += sum(file.size for file in ready.values())
        self.result.as_they_lie += sum(file.lies for file in ready.values())
        for file in ready.values():
            if not file.lies:
                file.path.unlink(missing_ok=True)  # the zoo's name of it stays

    def _restored(self, found: Found, ready: Mapping[int, Ready]) -> Member:
        assert found.travelled is not None
        return restore.add(self.zoo, found.travelled, self.layout, found.key, ready, found.metrics)

    def _foreign(self, found: Found, name: str, ready: Mapping[int, Ready]) -> Member:
        first = ready[min(ready)].path
        shapes = {tensor: slot.shape for tensor, slot in safetensors_io.read_header(first).items()}
        arch = infer(shapes, found.recipe.get("architecture"))
        came = self._origin(found, first, arch.depth) if found.stage == FINETUNING else Origin()
        found.notes += came.notes
        if came.contradicted:
            self.result.contradicted.append(f"{name}: {came.notes[-1]}")
        if found.stage == FINETUNING and came.checkpoint is None:
            found.notes.append(f"it was fine-tuned from {found.parent_hint or 'a model'} that is not here")
        by_epoch = _renumbered(ready, found, came)
        parent = came.checkpoint.member if came.checkpoint else None
        edge = {"member": parent.name, "id": parent.id} if parent else None
        member = self.zoo.add_member(recipes.config(found, name, self.layout, arch, edge, sorted(by_epoch)))
        _commit(member, by_epoch, found.metrics, came)
        return member

    def _origin(self, found: Found, first: Path, depth: int) -> Origin:
        names = origin.sample(safetensors_io.read_header(first), depth)
        named = [self.known[key] for key in (found.parent, *found.rivals) if key is not None and key in self.known]
        backbones = [member for member in self.known.values() if member.stage == PRETRAINING]
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


def _commit(member: Member, by_epoch: Mapping[int, Ready], metrics: Lines, came: Origin) -> None:
    edge = came.checkpoint.edge if came.checkpoint else None
    for count, epoch in enumerate(sorted(by_epoch)):
        member.commit(epoch, by_epoch[epoch], metrics.get(epoch, {}), None if count else edge)
    member.record_epochs({"epoch": epoch, **line} for epoch, line in sorted(metrics.items()) if epoch not in by_epoch)
