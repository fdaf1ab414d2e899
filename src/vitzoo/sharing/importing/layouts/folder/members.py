"""A model and what is said of it become a member of a survey: its epochs, its metrics, its stage."""

import json
from dataclasses import dataclass, field

from vitzoo.sharing.importing.layouts.folder import numbering
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.layouts.folder.models import Model
from vitzoo.sharing.importing.survey import Found

MAX_DECLARED = 200_000  # bytes of JSON; a zoo's config holds at most a million


@dataclass
class Member:
    """A member of a survey before parents are known: its parent as its source calls it, its epochs by number."""

    found: Found
    parent_of_hub: bool = False
    of_number: dict[int, int] = field(default_factory=dict)


def make(model: Model, facts: Facts, told: dict[int, int]) -> Member:
    """Make a member; ``told`` has the epochs of steps as far as its trainer told them."""
    epochs = _epochs(model, facts, told)
    last = max(epochs)
    found = Found(
        key=model.key,
        name=model.name,
        stage="finetuning" if facts.parent else "pretraining",
        checkpoints={epoch: c.file for epoch, c in zip(epochs, model.checkpoints, strict=True)},
        recipe={group: factors for group, factors in facts.recipe.items() if _is_whole(group, factors)},
        metrics={last if epoch is None else epoch: line for epoch, line in facts.metrics.items()},
        parent_hint=facts.parent,
        parent_epoch=facts.parent_epoch,
        notes=[*model.notes, *facts.notes],
    )
    _declare(found, facts)
    if facts.get("architecture", "heads") is None:
        found.notes.append("nothing beside its weights says how many attention heads it has")
    numbers = {c.label.number: epoch for epoch, c in zip(epochs, model.checkpoints, strict=True) if c.label}
    return Member(found, facts.parent_of_hub, numbers)


def _epochs(model: Model, facts: Facts, told: dict[int, int]) -> list[int]:
    last = facts.get("hyperparameters", "epochs")
    labels = [checkpoint.label for checkpoint in model.checkpoints if checkpoint.label]
    if labels:
        numbered = numbering.epochs(labels, last, told)
        facts.notes += [numbered.because] if numbered.because else []
        return numbered.epochs
    if facts.epoch is not None:
        return [facts.epoch]
    if told:
        return [max(told.values())]
    named = [epoch for epoch in facts.metrics if epoch is not None]
    if len(named) == 1:  # its only row in the table says which epoch it is
        return named
    facts.note(
        f"its only checkpoint counts as the last of its {last} epochs"
        if last
        else "its only checkpoint counts as epoch 1: nothing says how long it was trained"
    )
    return [last or 1]


def _is_whole(group: str, factors: dict) -> bool:
    """Say whether a group can stand in a recipe; what is known of images without their source stays declared."""
    return bool(factors) and (group != "dataset" or "source" in factors)


def _declare(found: Found, facts: Facts) -> None:
    """Keep what was said, source by source; what a zoo's config could not hold is left out and noted."""
    room = MAX_DECLARED
    for source, said in facts.declared.items():
        try:
            size = len(json.dumps(said, ensure_ascii=False, allow_nan=False).encode())
        except (ValueError, RecursionError):  # half a surrogate pair, too deep
            found.notes.append(f"what its {source} says cannot be kept word for word: it is no plain text")
            continue
        if size > room:
            found.notes.append(f"what its {source} says cannot be kept word for word: it has {size:,} bytes")
            continue
        found.declared[source] = said
        room -= size
