"""A survey becomes a zoo: backbones first, then what was fine-tuned from them. Safe to kill and to repeat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitzoo.errors import InputError
from vitzoo.sharing.importing import naming, weights
from vitzoo.sharing.importing.adding import Adder, Imported
from vitzoo.sharing.importing.quarantine.pool import Pool
from vitzoo.sharing.importing.restore import Head
from vitzoo.sharing.importing.survey import Found, Survey, Unplaced
from vitzoo.zoo import Zoo, atomic
from vitzoo.zoo.layout import FINETUNING, PRETRAINING

BLUEPRINT = (
    "# This zoo was not grown from a blueprint: it was imported (layout: {layout}).\n# Models found: {members}.\n"
)
LICENCES = {"official": "CC-BY-4.0"}  # under which a layout's models are published (paper, Appendix C)

Tell = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Wishes:
    """What the user may choose: the zoo's name and licence, whether files stay where they are, number of workers.

    Without a name or a licence, those that travelled with an export of ours are taken, else the folder's and "unknown".
    """

    name: str | None = None
    licence: str | None = None
    in_place: bool = False
    workers: int | None = None


def run(survey: Survey, path: Path, wishes: Wishes, tell: Tell = lambda what, done, total, unit: None) -> Imported:
    """Make a zoo of a survey at ``path``, or complete it there. Nothing under the survey's root is changed.

    InputError if there is nothing to import, or another zoo is there. ``tell`` gets (what, bytes done, in all, unit).
    """
    if not survey.members:
        raise InputError(f"{survey.root} holds no model that can be imported. {_first(survey.unplaced)}")
    zoo = Zoo.create(path, **vars(_head(survey, wishes)))
    zoo.sweep()
    adder = Adder(survey.layout, Imported(zoo, left_out=list(survey.unplaced)))
    names, sizes = naming.names(survey.members), {found.key: _bytes(found) for found in survey.members}
    done = 0
    outbox = atomic.staging_path(zoo.path, "import")
    outbox.mkdir()
    try:
        with Pool(outbox, wishes.workers) as pool:
            for stage in (PRETRAINING, FINETUNING):  # a parent is in the zoo before its children come
                members = [found for found in survey.members if found.stage == stage]
                there = {found.key for found in members if adder.is_complete(found)}
                adder.result.there += len(there)
                done += sum(sizes[key] for key in there)
                new = [found for found in members if found.key not in there]
                for found, outcomes in weights.of_members(new, survey.root, pool, wishes.in_place):
                    adder.add(found, names[found.key], outcomes)
                    done += sizes[found.key]
                    tell("Importing", done, sum(sizes.values()), "")
    finally:
        atomic.discard(outbox)
    return adder.result


def _head(survey: Survey, wishes: Wishes) -> Head:
    """Return what the zoo says of itself."""
    text = BLUEPRINT.format(layout=survey.layout, members=len(survey.members))
    head = survey.head or Head(survey.root.resolve().name, LICENCES.get(survey.layout, "unknown"), {}, text)
    return replace(head, name=wishes.name or head.name, licence=wishes.licence or head.licence)


def _bytes(found: Found) -> int:
    return sum(file.size for file in found.checkpoints.values())


def _first(unplaced: Sequence[Unplaced]) -> str:
    return f"The first thing found: {unplaced[0]}." if unplaced else "It is empty."
