"""Figures of a zoo, one per file; Matplotlib is only here.

FIGURES read ``zoo.table()``, MEASURED reads Measurements, AVERAGED reads the study of averages.

In all of them larger numbers are lighter, and no two levels differ by colour alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.analysis.figures import agreement, averages, curves, distances, gap, grid, map, soups, strips, windows
from vitzoo.analysis.figures.style import save
from vitzoo.analysis.levels import DataFrame
from vitzoo.measures.measurements import Measurements
from vitzoo.merging.study.averages import Averages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Of all epochs of the catalogue, ``draw(table, name)``.
FIGURES = {"grid": grid.draw, "curves": curves.draw, "factors": strips.draw}
#: Of what was measured at the last checkpoints, ``draw(measurements)``.
MEASURED: "dict[str, Callable[[Measurements], Figure]]" = {
    "gap": gap.draw,
    "map": map.draw,
    "distances": distances.draw,
    "agreement": agreement.draw,
}
#: Of averages within a lineage, ``draw(averages)``: the paper's Figures 2a, 2b and 3.
AVERAGED: "dict[str, Callable[[Averages], Figure]]" = {
    "averages": averages.draw,
    "soups": soups.draw,
    "windows": windows.draw,
}

__all__ = ["AVERAGED", "FIGURES", "MEASURED", "save", "write"]


def write(table: DataFrame, name: str, out: Path, suffix: str = ".svg") -> list[Path]:
    """Draw the figures of ``FIGURES`` into a directory, which is made if it is not there, and return their paths.

    ``table`` is ``zoo.table()``, ``name`` the zoo's. The same table gives the same bytes.
    InputError if no fine-tuned member is finished.

    >>> import vitzoo
    >>> write(vitzoo.open("zoos/nano").table(), "nano", Path("docs/figures"))  # doctest: +SKIP
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for stem, draw in FIGURES.items():
        paths.append(out / f"{stem}{suffix}")
        save(draw(table, name), paths[-1])
    return paths
