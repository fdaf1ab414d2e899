"""Figures of a zoo, one per file. Each is a function of ``zoo.table()`` and the zoo's name; only here is Matplotlib."""

from pathlib import Path

from vitzoo.analysis.figures import curves, grid, strips
from vitzoo.analysis.figures.style import save
from vitzoo.analysis.levels import DataFrame

FIGURES = {"grid": grid.draw, "curves": curves.draw, "factors": strips.draw}

__all__ = ["FIGURES", "save", "write"]


def write(table: DataFrame, name: str, out: Path, suffix: str = ".svg") -> list[Path]:
    """Draw all figures into a directory, which is made if it is not there, and return their paths.

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
