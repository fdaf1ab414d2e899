"""Which rows of a table speak of which model."""

from dataclasses import dataclass, field

from vitzoo.errors import InputError
from vitzoo.sharing.importing.layouts.folder.facts import LAST
from vitzoo.sharing.importing.layouts.folder.sheet import Sheet
from vitzoo.sharing.importing.survey import Unplaced
from vitzoo.sharing.importing.tables import many
from vitzoo.sharing.importing.tables.columns import NAMES, normal
from vitzoo.sharing.importing.tables.matching import Places
from vitzoo.sharing.importing.tables.table import Table
from vitzoo.sharing.importing.tables.values import shown

_OF_HUB = ("hf_model_id", "model_id", "repo_id", "repo")


@dataclass
class Assigned:
    """Rows by the key of their model, and rows that speak of none or cannot be told apart."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    unplaced: list[Unplaced] = field(default_factory=list)


def assign(sheet: Sheet, places: Places) -> Assigned:
    """Find the rows of each model by the column whose texts mean the most of them.

    InputError if no column names any model.
    """
    table = sheet.table
    column = _naming(table, places)
    assigned, missing, unclear = Assigned(), [], []
    for row in range(len(table)):
        text = table.text(row, column)
        found = places.find(text, normal(table.columns[column]) in _OF_HUB)
        if len(found) == 1:
            assigned.rows.setdefault(found[0], []).append(row)
        else:
            where = f"{table.name}, {table.places[row]} ({shown(text)})"
            (unclear if found else missing).append(where)
    assigned.unplaced += many.unplaced(missing, "names a model that is not in the folder")
    assigned.unplaced += many.unplaced(unclear, "names several models alike; give their paths")
    _drop_doubtful(sheet, assigned)
    return assigned


def _naming(table: Table, places: Places) -> int:
    """Choose the column that names the models: of those with a fitting name the one that means the most of them."""
    order = {name: number for number, name in enumerate(NAMES)}
    candidates = [place for place, column in enumerate(table.columns) if normal(column) in order]
    candidates.sort(key=lambda place: order[normal(table.columns[place])])
    best, most = None, 0
    for place in candidates:
        of_hub = normal(table.columns[place]) in _OF_HUB
        found = (places.find(table.text(row, place), of_hub) for row in range(len(table)))
        meant = len({keys[0] for keys in found if len(keys) == 1})
        if meant > most:
            best, most = place, meant
    if best is None:
        named = ", ".join(map(shown, table.columns[:12]))
        raise InputError(
            f"No column of {table.name} names a model of the folder (it has {named}). Give one that is called 'path' "
            "or 'model' and holds their places or names."
        )
    return best


def _drop_doubtful(sheet: Sheet, assigned: Assigned) -> None:
    """Drop the rows of models that have several, unless each is for another epoch."""
    table = sheet.table
    for key, rows in list(assigned.rows.items()):
        epochs = [sheet.epoch(row) for row in rows]
        if len(rows) > 1 and (LAST in epochs or len(set(epochs)) < len(epochs)):
            del assigned.rows[key]
            where = ", ".join(table.places[row] for row in rows[:4]) + (", …" if len(rows) > 4 else "")
            reason = f"speaks of {key}, as others do, and no column 'epoch' tells them apart; none of them counts"
            assigned.unplaced.append(Unplaced(f"{table.name}, {where}", reason))
