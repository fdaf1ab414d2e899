"""Draw all figures of a zoo and write them to files; what cannot be drawn says why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.errors import InputError
from vitzoo.measures.measurements import DataFrame, Measurements
from vitzoo.merging.study.averages import Averages

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Order in the report: from what was grown, over how well it does, to where it lies.
ORDER = ("grid", "factors", "gap", "curves", "map", "distances", "agreement")
PNG_DPI = 192  # two pixels for each of the page's


@dataclass(frozen=True)
class Drawn:
    """A figure: its name, its title with n, the SVG as text, and the files written. Without SVG, ``why`` says why."""

    stem: str
    title: str = ""
    svg: str = ""
    paths: tuple[Path, ...] = ()
    why: str = ""


def draw_all(table: DataFrame, m: Measurements, out: Path, png: bool = False) -> Iterator[Drawn]:
    """Draw the figures one by one into a directory, as SVG and, if asked for, PNG.

    ``table`` is ``zoo.table()``; only the curves need its other epochs, and all other figures show what was measured,
    as the tables do. A figure that lacks its data, such as training accuracies, is not drawn.
    """
    from vitzoo.analysis.figures import FIGURES, MEASURED

    drawers: dict[str, Callable[[], Figure]] = {stem: partial(draw, m) for stem, draw in MEASURED.items()}
    drawers |= {stem: partial(_of_rows, draw, m) for stem, draw in FIGURES.items()}
    drawers["curves"] = partial(FIGURES["curves"], table, m.zoo)
    yield from _drawn({stem: drawers[stem] for stem in ORDER}, out, png)


def draw_averages(a: Averages, out: Path, png: bool = False) -> Iterator[Drawn]:
    """Draw the figures of the study of averages one by one into a directory, as ``draw_all``."""
    from vitzoo.analysis.figures import AVERAGED

    yield from _drawn({stem: partial(draw, a) for stem, draw in AVERAGED.items()}, out, png)


def _drawn(drawers: "dict[str, Callable[[], Figure]]", out: Path, png: bool) -> Iterator[Drawn]:
    out.mkdir(parents=True, exist_ok=True)
    for stem, draw in drawers.items():
        try:
            figure = draw()
        except InputError as error:
            yield Drawn(stem, why=str(error))
            continue
        yield _saved(figure, stem, out, png)


def _of_rows(draw: "Callable[[DataFrame, str], Figure]", m: Measurements) -> "Figure":
    if not m.finetuned()["test_acc"].notna().any():
        raise InputError("No test accuracy of a fine-tuned member could be measured.")
    return draw(m.members, m.zoo)


def _saved(figure: "Figure", stem: str, out: Path, png: bool) -> Drawn:
    from vitzoo.analysis.figures import save

    paths = [out / f"{stem}.svg"]
    save(figure, paths[0])
    if png:
        paths.append(out / f"{stem}.png")
        save(figure, paths[1], PNG_DPI)
    return Drawn(stem, str(figure.get_label()), paths[0].read_text("utf-8"), tuple(paths))
