"""Survey a folder in the published zoo's layout, or of Ray Tune's trials: members, curves, who came from whom."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.importing import restore
from vitzoo.sharing.importing.survey import File, Found, Survey, Unplaced
from vitzoo.sharing.official import curves, declared
from vitzoo.sharing.official.epochs import numbering
from vitzoo.sharing.official.kinship import parent_names, parent_number, stage_of
from vitzoo.sharing.official.places import CONFIGS, HEAD, RESULT, ROOTS, number_of, weights_among

NAME = "official"
DEPTH = 6  # folders between the root and a member, at most
DOCUMENTS = frozenset({"README.md", "LICENSE", "CITATION.cff", "provenance.json", "fetch.json"})  # beside the two roots
ENTRIES = 200_000  # names in one folder, at most


@dataclass
class _Trial:
    """A member's folder before lineage is known: numbers of checkpoints with their files, and what was read."""

    found: Found
    numbers: dict[int, File]
    of_number: int = 0


def fits(root: Path) -> bool:
    """Say whether a folder has one of the layout's roots, or a trial with checkpoints, at most two levels down.

    A trial has a config or a curve of its own; where only its checkpoints have one, it is a folder of another kind.
    """
    for place in (root, *_folders(root)):
        if place.name in ROOTS and place != root:
            return True
        folders = _folders(place)
        if any(child.name in ROOTS for child in folders):
            return True
        told = any((place / name).is_file() for name in (*CONFIGS, RESULT))
        if told and any(number_of(child.name) is not None for child in folders):
            return True
    return False


def survey(root: Path, table: Path | None = None, by: str = "released") -> Survey:
    """List the members under a folder; ``by`` is whose reading of the configs is taken (see ``declared``).

    InputError if a table of factors is given, because here every member has a config.
    """
    if table is not None:
        raise InputError(f"Members of this layout have their own configs; leave out the table {table}.")
    declared.check_reading(by)
    found = Survey(NAME, root, restore.head(root / HEAD))
    trials = {}
    for place in _members(root, root, 0, found.unplaced):
        key = place.relative_to(root).as_posix()
        try:
            trials[key] = _trial(key, place, by)
        except InputError as error:
            found.unplaced.append(Unplaced(key, str(error), model=True))
    backbones: dict[str, dict[str, _Trial]] = {}  # by name, then by key
    for key, trial in trials.items():
        if trial.found.stage == "pretraining":
            backbones.setdefault(trial.found.name, {})[key] = trial
    for trial in trials.values():
        _find_parent(trial.found, backbones)
        found.members.append(trial.found)
    return found


def _trial(key: str, place: Path, by: str) -> _Trial:
    config, notes = _config(place), []
    numbers = _checkpoints(place, notes)
    if not numbers:
        raise InputError("it has no checkpoint with weights")
    curve = curves.read(place / RESULT) if (place / RESULT).is_file() else curves.Curve()
    if travelled := restore.read(config, curve.diverged):  # numbers are epochs, and nothing has to be guessed
        name, stage = travelled.config["name"], travelled.config["stage"]
        return _Trial(Found(key, name, stage, numbers, metrics=curve.lines, travelled=travelled), numbers)
    stage = stage_of(key, config)
    epochs = numbering(curve.lines, numbers)
    found = Found(
        key,
        place.name,
        stage,
        checkpoints={number + epochs.of_number: file for number, file in numbers.items()},
        recipe=declared.effective(config, stage, by),
        declared=config,
        metrics={iteration + epochs.of_iteration: line for iteration, line in curve.lines.items()},
        epochs_certain=epochs.certain,
        notes=[*notes, *curve.notes, f"epochs: {epochs.because}"],
    )
    if by == "released":
        found.notes += declared.differences(config, stage)
    if not config:
        found.notes.append(f"it has no {' or '.join(CONFIGS)}, so its factors are unknown")
    return _Trial(found, numbers, epochs.of_number)


def _find_parent(found: Found, backbones: dict[str, dict[str, _Trial]]) -> None:
    """Name the parent of a fine-tuned member: what its config says, else the folder it lies in."""
    if found.stage != "finetuning" or found.travelled:
        return
    hints = parent_names(found.key, found.declared)
    named = {key: backbone for hint in hints for key, backbone in backbones.get(hint, {}).items()}
    found.parent_hint = hints[0] if hints else None
    if not named:
        return
    found.parent, *rivals = named
    found.rivals = tuple(rivals)
    if len(hints) > 1 and rivals:
        found.notes.append(f"its config names {hints[0]!r} as its parent, its folder {hints[1]!r}")
    number = parent_number(found.declared)
    parent = named[found.parent]
    if number in parent.numbers:
        found.parent_epoch = number + parent.of_number


def _config(place: Path) -> dict[str, Any]:
    for name in CONFIGS:
        if (place / name).is_file():
            return foreign_json.read_object(place / name)
    return {}


def _checkpoints(place: Path, notes: list[str]) -> dict[int, File]:
    """Find the weights of a member by the number of their folder; folders without weights are told."""
    found: dict[int, File] = {}
    for folder in _folders(place):
        number = number_of(folder.name)
        if number is None:
            continue
        with os.scandir(folder) as entries:
            files = {e.name: e.stat(follow_symlinks=False).st_size for e in entries if e.is_file(follow_symlinks=False)}
        name = weights_among(list(files))
        if name is None:
            notes.append(f"{folder.name} holds no weights")
        elif number in found:
            raise InputError(f"it has checkpoint {number} twice, under two paddings")
        else:
            found[number] = File(folder / name, files[name])
    return dict(sorted(found.items()))


def _members(place: Path, root: Path, depth: int, unplaced: list[Unplaced]) -> Iterator[Path]:
    """Yield folders with checkpoints or a curve; what is neither such a folder nor on the way to one is unplaced."""
    folders, others = _entries(place)
    if place != root and (any(number_of(f.name) is not None for f in folders) or (place / RESULT).is_file()):
        yield place
        return
    for entry in others:
        if entry.name in DOCUMENTS and place == root:
            continue
        reason = "is a symbolic link, which is not followed" if entry.is_symlink() else "belongs to no member"
        unplaced.append(Unplaced(entry.relative_to(root).as_posix(), reason))
    if depth == DEPTH:
        unplaced.append(Unplaced(place.relative_to(root).as_posix(), f"lies more than {DEPTH} folders deep"))
        return
    for folder in folders:
        if folder.name != ".ipynb_checkpoints" and folder != root / HEAD:
            yield from _members(folder, root, depth + 1, unplaced)


def _folders(place: Path) -> list[Path]:
    return _entries(place)[0]


def _entries(place: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders in a place, and what else is there, links among it."""
    folders, others = [], []
    for path in _listed(place):
        (folders if path.is_dir() and not path.is_symlink() else others).append(path)
    return folders, others


def _listed(place: Path) -> list[Path]:
    try:
        found = list(islice(place.iterdir(), ENTRIES + 1))
    except OSError as error:
        raise InputError(f"{place} cannot be listed: {error.strerror}.") from error
    if len(found) > ENTRIES:
        raise InputError(f"{place} holds more than {ENTRIES:,} names; that many are not looked at.")
    return sorted(found)
