"""Which reader a folder needs."""

from pathlib import Path
from types import ModuleType

from vitzoo.blueprint import sources
from vitzoo.errors import InputError, nearest
from vitzoo.sharing.importing.layouts import augreg, folder, official
from vitzoo.sharing.importing.survey import Survey
from vitzoo.zoo.layout import ZOO_JSON

#: Readers by name; the first that recognises a folder reads it, the least demanding is the last.
LAYOUTS: dict[str, ModuleType] = {layout.NAME: layout for layout in (augreg, official, folder)}


def survey(root: Path, layout: str | None = None, table: Path | None = None, by: str = "released") -> Survey:
    """Survey a folder by the named layout's reader, or by the first that recognises it.

    ``table`` is a file of factors, for folders; ``by`` is whose reading of the published zoo's configs counts.
    InputError if there is no such folder, it is a zoo already, or no reader knows it.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder. Give the one that holds the models.")
    if (root / ZOO_JSON).is_file():
        raise InputError(f"{root} is a zoo already; `vitzoo ls {root}` lists it.")
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"{layout!r} is no layout; use {', '.join(LAYOUTS)}.{nearest(layout, LAYOUTS)}")
    name = layout or next((name for name, reader in LAYOUTS.items() if reader.fits(root)), None)
    if name is None:
        raise InputError(
            f"{root} is in no layout that can be read: it has neither the published zoo's folders, nor AugReg's "
            "index.csv, nor models as .safetensors, .pt, .pth, .bin or .npz. `vitzoo import --help` lists the layouts."
        )
    if name == official.NAME:
        return official.survey(root, table, by)
    return LAYOUTS[name].survey(root, table)


def extent(survey: Survey) -> tuple[int, int]:
    """Return the number of checkpoints of a survey and their bytes."""
    files = [file for found in survey.members for file in found.checkpoints.values()]
    return len(files), sum(file.size for file in files)


def state_dataset(survey: Survey, source: str | None) -> None:
    """Add to members whose data set is not known that it is ``source``; InputError if there is no such source."""
    if source is None:
        return
    if not sources.is_known(source):
        raise InputError(f"{source!r} is no data set; use {sources.EXPECTED}.{sources.hint(source)}")
    for found in survey.members:
        found.recipe.setdefault("dataset", {}).setdefault("source", source)
