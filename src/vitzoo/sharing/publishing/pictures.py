"""Figures of what is published, from its catalogue alone."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from vitzoo.errors import InputError
from vitzoo.zoo import query
from vitzoo.zoo.layout import FIGURES as FOLDER

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

DRAWN = ("grid", "factors")
DPI = 144  # 1,350 pixels wide, as sharp as a page shows them, in some 200 kB


@dataclass(frozen=True)
class Picture:
    """A figure: its place in the repository, what it shows in a line, and the PNG."""

    place: str
    title: str
    png: bytes


def pictures(zoo: "Zoo", names: Collection[str] | None = None) -> tuple[Picture, ...]:
    """Draw the grid of factors and the accuracies by factor; nothing where no fine-tuned member is finished.

    PNG, since the hub does not show an SVG of a repository in a card. ``names`` are the members to be shown, or all.
    """
    from vitzoo.analysis.figures import FIGURES, save

    table = query.frame(zoo.catalogue(), "stage <> 'merging'")
    table = table if names is None else table[table["member"].isin(list(names))]
    found = []
    with TemporaryDirectory(prefix="vitzoo-") as folder:
        for stem in DRAWN:
            try:
                figure = FIGURES[stem](table, zoo.name)
            except InputError:  # nothing to be drawn
                continue
            path = Path(folder) / f"{stem}.png"
            save(figure, path, DPI)
            found.append(Picture(f"{FOLDER}/{stem}.png", str(figure.get_label()), path.read_bytes()))
    return tuple(found)
