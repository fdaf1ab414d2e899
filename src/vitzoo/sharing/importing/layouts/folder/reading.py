"""Survey a plain folder of models: names first, then what configs, cards and a table say of each."""

from pathlib import Path

from vitzoo.errors import InputError
from vitzoo.sharing.importing.layouts.folder import card, configs, lineage, members, models, sheet, trainer, tree
from vitzoo.sharing.importing.layouts.folder.assign import Assigned, assign
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.layouts.folder.models import Model
from vitzoo.sharing.importing.layouts.folder.sheet import Sheet
from vitzoo.sharing.importing.survey import Survey, Unplaced
from vitzoo.sharing.importing.tables import many
from vitzoo.sharing.importing.tables import table as tables
from vitzoo.sharing.importing.tables.matching import Places

NAME = "folder"
#: Tables that are looked for in the folder, if none is given.
TABLES = tuple(
    f"{name}{ending}"
    for name in ("factors", "metadata", "index", "hparams", "hparam_info")
    for ending in tables.ENDINGS
)

#: Files beside weights that are read.
_READ = (models.CONFIG, models.TRAINER, card.README, configs.PREPROCESSOR)


def fits(root: Path) -> bool:
    """Say whether a file of weights lies in a folder."""
    return tree.has_weights(root)


def survey(root: Path, table: Path | None = None) -> Survey:
    """List the models below a folder and what is said of them; no weights are opened.

    ``table`` is a CSV or JSON file of factors with a row per model; else the folder's own counts, if it has one.
    InputError if the folder cannot be listed, or the given table cannot be read or names none of the models.
    """
    folder, unplaced = tree.read(root)
    found = models.interpret(folder)
    result = Survey(NAME, root, unplaced=[*found.unplaced, *unplaced])
    described = _describe(found.found, result)
    places = Places.of([model.key for model, _ in described], folder.name)
    read, assigned = _rows(folder, table, places, result)
    made = []
    for model, facts in described:
        told = trainer.add(facts, model)
        if read and model.key in assigned.rows:
            sheet.apply(facts, read, assigned.rows[model.key])
        elif read:
            facts.note(f"{read.table.name} has no row for it")
        made.append(members.make(model, facts, told))
    result.members = [member.found for member in lineage.connect(made, places)]
    result.unplaced += _others(folder, found.found, read, {line.key for line in result.unplaced})
    return result


def _describe(found: list[Model], result: Survey) -> list[tuple[Model, Facts]]:
    """Read what stands beside the weights of each model; one that is no plain ViT is unplaced, with the reason."""
    described = []
    for model in found:
        try:
            home = model.home_of(models.CONFIG)
            facts = configs.read(home) if home else Facts()
        except InputError as error:
            result.unplaced.append(Unplaced(model.key, str(error).rstrip("."), model=True))
            continue
        if home := model.home_of(card.README):
            card.add(facts, home)
        described.append((model, facts))
    return described


def _rows(folder: tree.Folder, given: Path | None, places: Places, result: Survey) -> tuple[Sheet | None, Assigned]:
    """Read the table and find whose its rows are. One that was given must be sound; one that lies there may not be."""
    beside = [name for name in TABLES if name in folder.others]
    path = given or (folder.path / beside[0] if beside else None)
    if path is None or not places.keys:
        return None, Assigned()
    try:
        read = sheet.understand(tables.read(path))
        assigned = assign(read, places)
    except InputError as error:
        if given:
            raise
        result.unplaced.append(Unplaced(path.name, str(error).rstrip(".")))
        return None, Assigned()
    result.unplaced += [*read.unplaced, *assigned.unplaced]
    others = [name for name in beside if name != path.name]
    result.unplaced += many.unplaced(others, f"is not read, because {path.name} is")
    return read, assigned


def _others(folder: tree.Folder, found: list[Model], read: Sheet | None, told: set[str]) -> list[Unplaced]:
    """Count the plain files that were of no use, but for those in folders that are unplaced as a whole."""
    homes = [home for model in found for home in (*model.homes, *(c.folder for c in model.checkpoints))]
    used = {models.file_key(home, name) for home in homes for name in _READ}
    used |= set(TABLES) if read else set()
    waiting, places = [folder], []
    while waiting:
        place = waiting.pop(0)
        if place.key not in told:
            places += [key for name in sorted(place.others) if (key := models.file_key(place, name)) not in used]
        waiting += place.folders
    return many.unplaced(places, "belongs to no model")
